"""What allauth asks this site: it is told so by settings."""

from functools import partial
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from digits.accounts import sign_ins
from digits.accounts.accounts import BACKEND
from digits.addresses import is_of_this_site

CONFIRM_SECONDS = 600.0  # so new a sign-in is as good as a password


class Accounts(DefaultAccountAdapter):
    """Signing in: a code after the password, and nothing else; no mail, no messages of allauth."""

    def get_login_stages(self) -> list[str]:
        return ["allauth.mfa.stages.AuthenticateStage"]

    def login(self, request: HttpRequest, user: User) -> None:
        user.backend = BACKEND  # as Django's authenticate does
        super().login(request, user)

    def add_message(self, *arguments: Any, **words: Any) -> None:
        """Say nothing: the pages do."""

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return _back_to_sign_in(request, "This account is closed.")

    def is_safe_url(self, url: str | None) -> bool:
        return is_of_this_site(context.request, url)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Ask for a code where the account has a second factor, else for the password."""
        methods = super().get_reauthentication_methods(user)
        by_code = [one for one in methods if one["id"] == "mfa_reauthenticate"]
        return by_code or methods

    def is_reauthentication_required(self, *, app: str, **words: Any) -> bool:
        """Whoever has neither password nor code has signed in by another server just now.

        Raises:
            Forbidden: that was too long ago.
        """
        request = context.request
        if self.get_reauthentication_methods(request.user):
            return bool(super().is_reauthentication_required(app=app, **words))
        sign_ins.must_be_new(request.session, CONFIRM_SECONDS)
        return False


class SecondFactors(DefaultMFAAdapter):
    """The second factor: it may be switched off for the site, or be a must for staff."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "That is not the right code, or it was used before.",
        "cannot_delete_authenticator": "Staff needs a second factor here.",
    }

    def is_mfa_enabled(self, user: Any, types: Any = None) -> bool:
        return settings.SECOND_FACTOR != "off" and bool(super().is_mfa_enabled(user, types))

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not (settings.SECOND_FACTOR == "staff" and authenticator.user.is_staff)

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        """Return what apps show beside the code; a colon would end it."""
        host = context.request.get_host().rpartition(":")[0] or context.request.get_host()
        return f"Digits {host.replace(':', '.')}"


class OtherServers(DefaultSocialAccountAdapter):
    """Signing in by the server of OIDC_ISSUER. It never leads to an account that is there already.

    An address of mail says nothing about whose an account is, so that none is asked for.
    """

    def get_provider(self, request: HttpRequest, provider: str, client_id: Any = None) -> Any:
        from digits.accounts import oidc

        return oidc.provider(request)

    def get_requests_session(self) -> Any:
        """Return the client for the server, which follows nobody elsewhere."""
        client = super().get_requests_session()
        client.request = partial(client.request, allow_redirects=False)
        return client

    def authenticate_by_email(self, sociallogin: Any) -> None:
        return None

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        if settings.SIGN_UP:
            return True
        text = "You have no account here. An administrator of this site decides who gets one."
        raise ImmediateHttpResponse(_back_to_sign_in(request, text))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        from digits.accounts import oidc

        oidc.must_belong_together(sociallogin)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        """Take over the wanted user name and nothing else; it gets a number if it is taken."""
        user = cast(User, sociallogin.user)
        wanted = [str(data.get("username") or ""), "user"]
        user.username = get_account_adapter(request).generate_unique_username(wanted)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        from digits.accounts import oidc

        oidc.log_failure(exception or error)
        text = f"You were not signed in by {settings.OIDC_NAME}. Try again."
        raise ImmediateHttpResponse(_back_to_sign_in(request, text))


def _back_to_sign_in(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return redirect(reverse("login"))
