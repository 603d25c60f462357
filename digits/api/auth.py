"""Authentication with a token or a browser session, and permissions."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from digits.accounts import tokens
from digits.accounts.owners import Owner
from digits.accounts.permissions import MissingScope
from digits.audit.actors import acts_by_token
from digits.models import Token
from digits.models.api import Scope

if TYPE_CHECKING:
    from rest_framework.views import APIView

CHALLENGE = "Bearer"
SESSION = "session"


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer TOKEN`; cookies are ignored then."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        token = tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise exceptions.AuthenticationFailed(
                "Expected the header Authorization to be Bearer and a token that was made on"
                " /account/tokens/, was not revoked and has not expired."
            )
        address = request._request.owner.address
        request._request.owner = Owner(token.user, None, address, token.scopes)
        acts_by_token(token.user)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class SessionAuthentication(authentication.SessionAuthentication):
    """A browser session of an account or a visitor; requests that change data need a CSRF token.

    A visitor's session begins on the site, with its first form: a request with no cookie of ours is
    nobody's. (Were it given a session here, a form on another site could replace a visitor's.)
    """

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, str] | None:
        cookies = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
        if not cookies & set(request.COOKIES):
            return None
        self.enforce_csrf(request)
        return request._request.user, SESSION

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class ForSenders(permissions.BasePermission):
    """Allows accounts and browser sessions, which send and see uploads of their own."""

    message = "Sign in, or send a token."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        _must_have_scope(request, view)
        return request.auth is not None and _may_look(request)


class ForAll(permissions.BasePermission):
    """Allows everybody to read, and to write those who may do what the view's `needs` names."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        owner: Owner = request.owner
        if request.method in permissions.SAFE_METHODS:
            _must_have_scope(request, view)
            return _may_look(request)
        if owner.user and hasattr(view, "needs"):  # else it only shows, and answers with 405
            owner.must(view.needs)
        return owner.user is not None


def _must_have_scope(request: Request, view: "APIView") -> None:
    """Refuse a token that has not the scope of a request: read, or for changes the view's own.

    Raises:
        MissingScope: that.
    """
    looks = request.method in permissions.SAFE_METHODS
    needed = Scope.READ if looks else getattr(view, "scope", Scope.WRITE)
    scopes = request.owner.scopes
    if scopes is not None and needed not in scopes:
        raise MissingScope(needed)


def _may_look(request: Request) -> bool:
    return bool(settings.ANONYMOUS or request.user.is_authenticated)
