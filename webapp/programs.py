"""What programs send most, answered in the event loop: by Django, or by a shorter way."""

import io
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import BadRequest, ValidationError
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.utils.log import log_response

from digits.accounts.owners import Owner
from digits.models.uploads import Source
from digits.quotas import NotTaken
from digits.shortages import shortage_of
from digits.uploads.submission import submit_async
from digits.views import program
from digits.views.program import Answer
from webapp.wsgi import program_middleware

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
FORM = re.compile(rb"multipart/form-data; ?boundary=([0-9A-Za-z'()+_,./:?=-]{1,70})")
PLACE = (b"host", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port")
MOST_PLACES = 100  # that are known at once: a site has one or two names


class Programs(ASGIHandler):
    """Django in the event loop, for views that are coroutines."""

    def load_middleware(self, is_async: bool = True) -> None:
        with program_middleware():
            super().load_middleware(is_async)

    async def answer(self, scope: Scope, body: BinaryIO, send: Send) -> None:
        """Answer a request whose body is here; its views see to their connections themselves."""
        whole = f"{settings.FORCE_SCRIPT_NAME or ''}{scope['path']}"  # as Django's handler has it
        request, refused = self.create_request(scope | {"path": whole}, body)
        response = await self.run_get_response(request) if request is not None else refused
        assert response is not None, "Django makes a request or else an answer"  # noqa: S101
        await self.send_response(response, send)
        if request is not None:
            request.close()


class ShortWay:
    """Answers `POST /mnist/classify` as Django does, without its request, response and middleware.

    Those took a third of the web server's time for an upload. The headers that they give an answer
    depend on the name and scheme that the site was asked by alone, so that the headers of an answer
    of Django's serve for later ones. What is unusual about a request is left to Django.
    """

    def __init__(self, django: Programs) -> None:
        self._django = django
        self._headers: dict[tuple[bytes, ...], Headers] = {}

    async def answer(self, scope: Scope, body: BinaryIO, send: Send) -> bool:
        """Answer a request, or return False where that is Django's; nothing is done then."""
        given = _given(scope)
        headers = self._headers.get(_place(scope, given))
        form = FORM.fullmatch(given.get(b"content-type", b""))
        is_plain = scope["method"] == "POST" and b"authorization" not in given
        if headers is None or form is None or not (is_plain and settings.ANONYMOUS):
            return False
        data = body.read(program.BRIEF + 1)
        body.seek(0)
        if len(data) > program.BRIEF:
            return False
        try:
            file = program.checked_file(form[1], data)
            upload = await submit_async(file, Owner(None, None, _address(scope)), Source.API)
            answer = await program.answer_for(upload)
        except (BadRequest, ValidationError, NotTaken):
            return False
        except Exception as error:
            lack = shortage_of(error)
            answer = Answer("This is an error of the site, and it was logged.", 500)
            if lack:
                answer = Answer(lack.message, lack.status)
                headers = [*headers, (b"Retry-After", str(lack.seconds).encode())]
            self._log(scope, answer, error)
        else:
            if answer.status >= 400:
                self._log(scope, answer)
        content = f"{answer.text}\n".encode()
        length = (b"Content-Length", str(len(content)).encode())
        start = {"type": "http.response.start", "status": answer.status}
        await send(start | {"headers": [*headers, length]})
        await send({"type": "http.response.body", "body": content})
        return True

    def learning(self, scope: Scope, send: Send) -> Send:
        """Return a function that sends an answer of Django's, and learns its headers."""
        place = _place(scope, _given(scope))

        async def send_and_learn(message: Mapping[str, Any]) -> None:
            if message.get("status") == 200:
                if len(self._headers) >= MOST_PLACES:
                    self._headers.clear()
                self._headers[place] = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.lower() != b"content-length"
                ]
            await send(message)

        return send_and_learn

    def _log(self, scope: Scope, answer: Answer, error: Exception | None = None) -> None:
        """Log an answer that is an error, as Django does."""
        request, _ = self._django.create_request(scope, io.BytesIO())
        response = HttpResponse(status=answer.status)
        log_response(
            "%s: %s",
            response.reason_phrase,
            scope["path"],
            response=response,
            request=request,
            exception=error,
        )


def _given(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers of a request; none where Django would see others.

    It joins those that came twice; those with underscores are left out: see webapp.asgi.made_plain.
    """
    headers = scope["headers"]
    given = {name: value for name, value in headers if b"_" not in name}
    return given if len(given) == len(headers) else {}


def _place(scope: Scope, given: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """Return what the site was asked by: what of a request the headers of an answer depend on."""
    return (scope["scheme"].encode(), *(given.get(name, b"") for name in PLACE))


def _address(scope: Scope) -> str:
    """Return the address that a request came from."""
    return str((scope.get("client") or ("",))[0])
