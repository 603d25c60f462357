"""Exceptions of the API, and their conversion to problem details."""

from collections.abc import Iterator
from typing import Any, NoReturn

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.forms import BaseForm
from django.http import Http404
from rest_framework import exceptions, status, views
from rest_framework.response import Response

from digits.accounts.permissions import Forbidden, MissingScope
from digits.problems import MEDIA_TYPE, problem
from digits.quotas import NotTaken

NOT_FOUND = "There is nothing at this address, or it is not yours to see."


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT


class NotAllowed(exceptions.PermissionDenied):
    """What Django refuses; it says what is missing, where that is known."""

    def __init__(self, refusal: PermissionDenied) -> None:
        super().__init__(str(refusal) if isinstance(refusal, Forbidden) else None)
        self.scope = refusal.scope.value if isinstance(refusal, MissingScope) else ""


class Unprocessable(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class Refused(exceptions.APIException):
    """What is sent is not taken now."""

    def __init__(self, error: NotTaken) -> None:
        super().__init__(str(error))
        self.status_code, self.wait = error.status, error.seconds


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return problem details for an exception; None for an unexpected one, which becomes a 500."""
    if isinstance(error, Http404 | ObjectDoesNotExist):  # deleted just now, perhaps
        error = exceptions.NotFound(NOT_FOUND)
    elif isinstance(error, PermissionDenied):
        error = NotAllowed(error)
    elif isinstance(error, NotTaken):
        error = Refused(error)
    answer = views.exception_handler(error, context)
    if answer is None:
        return None
    answer.data = _problem(error)
    answer.content_type = MEDIA_TYPE
    if isinstance(error, NotAllowed) and error.scope:  # as in RFC 6750
        answer["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
    if seconds := getattr(error, "wait", None):
        answer["Retry-After"] = str(seconds)
    return answer


def _problem(error: exceptions.APIException) -> dict[str, Any]:
    if not isinstance(error, exceptions.ValidationError):
        scope = getattr(error, "scope", "")
        return problem(error.status_code, str(error.detail), missing_scope=scope)
    fields = list(_fields(error.detail))
    return problem(error.status_code, " ".join(one["message"] for one in fields), errors=fields)


def _fields(detail: Any, name: str = "") -> Iterator[dict[str, str]]:
    """Yield each message with the path of its field, such as "settings.epochs"; "" is the whole."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            whole = key in ("non_field_errors", "__all__")
            yield from _fields(inner, name if whole else f"{name}.{key}".lstrip("."))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _fields(inner, name)
    else:
        yield {"field": name, "message": str(detail)}


def refuse(form: BaseForm) -> NoReturn:
    """Raise the errors of a form."""
    raise exceptions.ValidationError(
        {name: [str(message) for message in messages] for name, messages in form.errors.items()}
    )
