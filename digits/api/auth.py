"""Who asks: a program with a token, or a browser session; and what they may do."""

from django.conf import settings
from rest_framework import authentication, exceptions, permissions

from digits.accounts import tokens
from digits.accounts.owners import Owner

CHALLENGE = "Bearer"
SESSION = "session"


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer TOKEN`; cookies are not looked at then."""

    def authenticate(self, request):
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        token = tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise exceptions.AuthenticationFailed(
                "Expected the header Authorization to be Bearer and a token that was made on"
                " /account/tokens/ and not revoked."
            )
        request._request.owner = Owner(token.user, {})
        return token.user, token

    def authenticate_header(self, request):
        return CHALLENGE


class SessionAuthentication(authentication.SessionAuthentication):
    """A browser session, of an account or of a visitor; what changes something needs CSRF's token.

    A visitor's session begins on the site, with its first form: a request with no cookie of ours is
    nobody's. (Were it given a session here, a form on another site could replace a visitor's.)
    """

    def authenticate(self, request):
        cookies = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
        if not cookies & set(request.COOKIES):
            return None
        self.enforce_csrf(request)
        return request._request.user, SESSION

    def authenticate_header(self, request):
        return CHALLENGE


class ForSenders(permissions.BasePermission):
    """Whoever may send and see uploads of their own: an account or a browser session."""

    message = "Sign in, or send a token."

    def has_permission(self, request, view):
        return request.auth is not None and _may_look(request)


class ForAll(permissions.BasePermission):
    """Everybody may look; staff may change."""

    message = "Only staff may do this."

    def has_permission(self, request, view):
        looks = request.method in permissions.SAFE_METHODS and _may_look(request)
        return looks or request.owner.is_staff


def _may_look(request) -> bool:
    return settings.ANONYMOUS or request.user.is_authenticated
