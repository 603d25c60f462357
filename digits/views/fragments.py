"""Pages whose changing part is a fragment for htmx."""

from typing import Any, TypeVar

from django.contrib.messages import get_messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from digits.accounts.owners import OwnedRequest

Response = TypeVar("Response", bound=HttpResponseBase)


def page_or_part(
    request: OwnedRequest, page: str, part: str, context: dict[str, Any]
) -> HttpResponse:
    """Render a whole page, or for htmx the part that changes, which browsers do not cache."""
    response = render(request, part if request.htmx else page, context)
    patch_vary_headers(response, ["HX-Request"])
    if request.htmx:
        response.headers["Cache-Control"] = "no-store"
        _add_messages(request, response)
    return response


def _add_messages(request: OwnedRequest, response: HttpResponse) -> None:
    """Add the messages to a part; htmx puts them in their place on the page."""
    if len(get_messages(request)):
        context = {"out_of_band": True}
        response.write(render_to_string("digits/_messages.html", context, request))


def kept(response: Response, seconds: int = 31536000) -> Response:
    """Let the owner's browser cache a response that never changes."""
    response.headers["Cache-Control"] = f"private, max-age={seconds}, immutable"
    return response
