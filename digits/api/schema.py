"""The schema: authentication, and the problems that every operation may answer with."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from digits.api.auth import ForAll
from digits.models.api import Scope
from digits.problems import MEDIA_TYPE

LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[201, 202], description="Where to look."
)
DESCRIPTIONS = {
    400: "What was sent is not as expected; errors says which field and why.",
    401: "Sign in, or send a token.",
    403: "Not allowed, or the token lacks a scope, or the CSRF token is missing.",
    404: "There is nothing at this address, or it is not yours to see.",
    406: "The answer is JSON only.",
    409: "This is not possible now.",
    415: "The body is of another type than expected.",
    422: "The Idempotency-Key was sent before, with something else.",
    429: "Too many requests; Retry-After says in how many seconds to ask again.",
}
RETRY_AFTER = {
    "Retry-After": {"description": "In how many seconds.", "schema": {"type": "integer"}}
}


class ProblemError(serializers.Serializer):
    field = serializers.CharField(help_text="Its name; empty: the whole.", allow_blank=True)
    message = serializers.CharField()


class Problem(serializers.Serializer):
    """Problem details, as in RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)
    errors = ProblemError(many=True, required=False)
    missing_scope = serializers.ChoiceField(
        Scope.choices, required=False, help_text="the scope that the token lacks (403)"
    )


class Operation(AutoSchema):
    """An operation in the schema; it marks operations that need no sign-in."""

    def get_auth(self) -> list[dict[str, Any]]:
        open_to_all = ForAll in self.view.permission_classes and self.method in SAFE_METHODS
        return [*super().get_auth(), *([{}] if open_to_all else [])]


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Return the problems that a view answers with, for `responses` of extend_schema."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(Problem, description=DESCRIPTIONS[status])
        for status in statuses
    }


def add_problems(
    result: dict[str, Any], generator: SchemaGenerator, request: Request | None, public: bool
) -> dict[str, Any]:
    """Add to each operation the problems that all of its kind may answer with (a hook)."""
    described = {"$ref": "#/components/schemas/Problem"}
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status in _possible(path, operation):
                answer = {
                    "description": DESCRIPTIONS[status],
                    "content": {MEDIA_TYPE: {"schema": described}},
                }
                if status == 429:
                    answer["headers"] = RETRY_AFTER
                operation["responses"].setdefault(str(status), answer)
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


def _possible(path: str, operation: dict[str, Any]) -> list[int]:
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    found = [401, 403, 406, 429]
    if "requestBody" in operation or places & {"query", "header"}:
        found.append(400)
    if "{" in path:
        found.append(404)
    if "requestBody" in operation:
        found.append(415)
    return found


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "digits.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "Made on /account/tokens/."}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "digits.api.auth.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Of a browser; what changes something needs the header X-CSRFToken.",
        }
