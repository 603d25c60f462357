"""Error pages, and problem details under /api/."""

import sys
from math import ceil

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from digits.accounts.permissions import Forbidden
from digits.problems import problem_response
from digits.shortages import Shortage, shortage_of


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Show the message of a BadRequest."""
    message = str(exception) if isinstance(exception, BadRequest) else ""
    message = message or "The browser sent an invalid request."
    return _page(request, 400, "Bad request", message)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    lack = f"{exception} " if isinstance(exception, Forbidden) else ""
    return _page(
        request, 403, "Not allowed", f"{lack}You may not do this, or need to sign in first."
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(
        request, 403, "The form is too old", "Load the page again, then send the form once more."
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(
        request,
        404,
        "Page not found",
        "There is nothing at this address, or it is not yours to see.",
    )


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """Ask whoever sends too much to wait for so many seconds."""
    wait = f"{ceil(seconds / 60)} minutes" if seconds > 90 else "a minute"
    response = _page(
        request, 429, "Too many requests", f"Too much was sent from here. Try again in {wait}."
    )
    response.headers["Retry-After"] = str(seconds)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Render without the request, since the session or the database may be broken.

    It is called while the error is handled. One that comes from a lack of something says so.
    """
    message = "This is an error of the site, and it was logged. No data is lost."
    lack = shortage_of(sys.exc_info()[1]) or Shortage(500, "Something broke", message, 0)
    if _is_for_programs(request):
        response: HttpResponse = problem_response(lack.status, lack.message)
    else:
        response = _page(None, lack.status, lack.title, lack.message)
    if lack.seconds:
        response.headers["Retry-After"] = str(lack.seconds)
    return response


def _is_for_programs(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _page(request: HttpRequest | None, status: int, title: str, message: str) -> HttpResponse:
    if request and _is_for_programs(request):
        return problem_response(status, message)
    context = {"title": title, "message": message, "status": status}
    return render(request, "digits/error.html", context, status=status)
