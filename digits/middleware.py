"""Middleware: the owner of a request, rate limits, sign-in, and headers that guard a response."""

import logging
from collections.abc import Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponsePermanentRedirect,
)
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.shortcuts import resolve_url
from django.utils.decorators import sync_and_async_middleware
from django_htmx.http import HttpResponseClientRedirect

from digits import rates
from digits.accounts import second_factor, sign_ins
from digits.accounts.owners import OwnedRequest, Owner
from digits.accounts.permissions import Forbidden
from digits.addresses import network_of
from digits.audit.actors import acting, as_actor
from digits.views import errors

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponseBase]
OF_PROGRAMS = ("/api/v1/", "/mnist/classify")
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "object-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",  # pixels of reports are in their pages
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def signed_in(get_response: View) -> View:
    """End the sessions of accounts that were idle or signed in for too long, and note their use.

    Visitors' sessions are left alone. What a page asks for by itself is no use of it.
    """

    def middleware(request: OwnedRequest) -> HttpResponseBase:
        if request.user.is_authenticated and sign_ins.is_idle(request.session):
            logout(request)
            messages.info(request, "You were signed out, since you were away for long.")
        elif request.user.is_authenticated and sign_ins.is_over(request.session):
            logout(request)
            messages.info(request, "You signed in long ago: sign in once more.")
        response = get_response(request)
        asks_itself = request.htmx and request.method == "GET"
        by_session = request.session.get(SESSION_KEY) == str(request.user.pk)  # not by a token
        if by_session and not asks_itself:
            _note(request)
        return response

    return middleware


def _note(request: OwnedRequest) -> None:
    try:
        sign_ins.note(request, cast(User, request.user))
    except DatabaseError as error:  # a busy database fails no page for this
        logger.warning("the use of a session was not noted: %s", error)


def owner(get_response: View) -> View:
    """Set whose request it is, and for the audit trail who acts and from where."""

    def middleware(request: OwnedRequest) -> HttpResponseBase:
        user = request.user if request.user.is_authenticated else None
        address = _address(request)
        request.owner = Owner(user, request.session, address)
        with acting(as_actor(user, address)):
            return get_response(request)

    return middleware


def _address(request: HttpRequest) -> str:
    """Return the client's address, as webapp.asgi has found it."""
    address: str = request.META.get("REMOTE_ADDR", "")
    return address


class Slash(CommonMiddleware):
    """Serves what is sent to an address without its last slash as if it had it.

    Django redirects such requests with 301, after which clients ask for the page with GET: what
    they sent was gone, and they were answered with 200. GET goes on to be redirected.
    """

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        refused = super().process_request(request)
        if request.method not in ("GET", "HEAD") and self.should_redirect_with_slash(request):
            request.path += "/"
            request.path_info += "/"
        return refused


def by_https(get_response: View) -> View:
    """Refuse what programs send by HTTP to a site with HTTPS.

    A redirect would hide that a token was readable on the way, each time again.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return _without_https(request) or get_response(request)

    return middleware


def _without_https(request: HttpRequest) -> HttpResponse | None:
    is_wrong = settings.SECURE_SSL_REDIRECT and not request.is_secure()
    if not (is_wrong and request.path_info.startswith(OF_PROGRAMS)):
        return None
    return HttpResponse(
        "Send this by HTTPS. A token that came with it was readable on the way: make another.\n",
        status=403,
        content_type="text/plain; charset=utf-8",
    )


@sync_and_async_middleware
def for_programs(get_response: View) -> View:
    """Do for requests of programs what the middleware for pages does for those of browsers.

    A request belongs to nobody, until a token says whose it is. Of Django's own middleware it takes
    what looks at headers only, so that in an event loop none of it needs a thread.
    """
    security, common = SecurityMiddleware(get_response), Slash(get_response)
    frames = XFrameOptionsMiddleware(get_response)

    def before(request: OwnedRequest) -> HttpResponseBase | None:
        request.user = AnonymousUser()
        request.owner = Owner(None, None, _address(request))
        return (
            security.process_request(request)
            or _without_https(request)
            or common.process_request(request)
        )

    def after(request: OwnedRequest, answer: HttpResponseBase) -> HttpResponseBase:
        response = frames.process_response(request, cast(HttpResponse, answer))
        response = cast(HttpResponse, common.process_response(request, response))
        guarded = cast(HttpResponse, _guarded(request, response))
        return security.process_response(request, guarded)

    async def in_loop(request: OwnedRequest) -> HttpResponseBase:
        with acting(as_actor(None, _address(request))):
            refused = before(request)
            return after(request, refused or await cast(Any, get_response(request)))

    if iscoroutinefunction(get_response):
        return cast(View, in_loop)

    def middleware(request: OwnedRequest) -> HttpResponseBase:
        with acting(as_actor(None, _address(request))):
            refused = before(request)
            return after(request, refused or get_response(request))

    return middleware


class SignInFirst(LoginRequiredMiddleware):
    """Requires sign-in for every page, except those marked otherwise, if ANONYMOUS is off.

    The API and the admin have their own checks.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: View,
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if settings.ANONYMOUS:
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(  # type: ignore[override]  # the middleware before it set htmx
        self, request: OwnedRequest, view_func: View
    ) -> HttpResponseBase:
        """Redirect to the sign-in page, also for fragments."""
        if request.htmx:
            return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
        return super().handle_no_permission(request, view_func)


SIGN_IN = ("login", "admin:login", "mfa_authenticate")
CONFIRM = ("account_reauthenticate", "mfa_reauthenticate")
SIGN_OUT = ("logout", "admin:logout")


def throttled(get_response: View) -> View:
    """Refuse forms of whoever sends too many; the API has limits of its own.

    New accounts and wrong passwords are limited by address, whatever the name.
    """

    def middleware(request: OwnedRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(
        request: OwnedRequest, view: View, arguments: Any, words: Any
    ) -> HttpResponseBase | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if request.method in ("GET", "HEAD", "OPTIONS", "TRACE") or name.startswith("api:"):
            return None
        place = network_of(request.owner.address)
        seconds = rates.FORMS.count(request.owner.sender)
        if name == "sign-up":
            seconds = max(seconds, rates.SIGN_UPS.count(place))
        elif name in (*SIGN_IN, *CONFIRM):
            seconds = max(seconds, rates.WRONG_PASSWORDS.look(place))
        return errors.too_many(request, seconds) if seconds else None

    middleware.process_view = process_view  # type: ignore[attr-defined]  # Django looks for it
    return middleware


# Where staff may go that has no second factor yet and must have one.
ON_THE_WAY = (
    *(*SIGN_IN, *SIGN_OUT, *CONFIRM, "mfa_index", "mfa_activate_totp", "password"),
    *("health-live", "health-ready", "favicon", "oidc-begin", "oidc-callback"),
)


def with_second_factor(get_response: View) -> View:
    """Lead staff to the second factor that SECOND_FACTOR=staff asks for, before anything else.

    A program with a token is not asked: a token is made by whoever had one.
    """

    def middleware(request: OwnedRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(
        request: OwnedRequest, view: View, arguments: Any, words: Any
    ) -> HttpResponseBase | None:
        user = request.owner.user
        name = request.resolver_match.view_name if request.resolver_match else ""
        if user is None or not second_factor.is_missing(request.session, user):
            return None
        if name in ON_THE_WAY or "Authorization" in request.headers:
            return None
        if name.startswith("api:"):
            return errors.forbidden(request, Forbidden("Staff needs a second factor here."))
        leads_to = "mfa_reauthenticate" if second_factor.is_on(user) else "mfa_index"
        if request.htmx:
            return HttpResponseClientRedirect(resolve_url(leads_to))
        return redirect_to_login(request.get_full_path(), resolve_url(leads_to))

    middleware.process_view = process_view  # type: ignore[attr-defined]  # Django looks for it
    return middleware


def guarded(get_response: View) -> View:
    """Give every response a content security policy, and keep it out of shared caches.

    What somebody sees who is signed in is kept by no cache, and signing out clears the browser's.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return _guarded(request, get_response(request))

    return middleware


def _guarded(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    owner = getattr(request, "owner", None)  # static files have none
    is_private = bool(owner and owner.user)
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Cache-Control", "no-store" if is_private else "private, no-cache")
    match = request.resolver_match
    if request.method == "POST" and match and match.view_name in SIGN_OUT:
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
