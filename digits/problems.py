"""Problem details (RFC 9457), with which the API reports errors."""

from http import HTTPStatus
from typing import Any

from django.http import JsonResponse

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str = "", **more: Any) -> dict[str, Any]:
    """Return the members of a problem; empty ones of `more` are left out."""
    members = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    more = {"detail": detail} | more
    return members | {name: value for name, value in more.items() if value}


def problem_response(status: int, detail: str = "") -> JsonResponse:
    return JsonResponse(problem(status, detail), status=status, content_type=MEDIA_TYPE)
