"""Forms for codes: allauth's, in which each code counts once and few wrong ones are taken."""

from math import ceil
from typing import Any

from allauth.account.forms import ReauthenticateForm as ReauthenticateByPasswordForm
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.db import transaction

from digits.accounts import second_factor

LONGEST = 30  # a code with whatever somebody puts between its digits


class CodeField(forms.CharField):
    """A code as apps show it, with or without spaces."""

    def __init__(self, help_text: str = "") -> None:
        widget = forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        )
        super().__init__(label="Code", widget=widget, max_length=LONGEST, help_text=help_text)


class OnceEach(BaseAuthenticateForm):
    """Takes a code once, and stops whoever guesses."""

    code = CodeField("Six digits from your app, or one of your recovery codes")

    def clean_code(self) -> str:
        request = context.request
        if second_factor.is_locked_out(request, self.user):
            second_factor.tell_failed(request, self.user)  # so that they are told as elsewhere
            raise forms.ValidationError("Too many attempts.")
        with transaction.atomic():
            second_factor.lock(self.user)
            if seconds := second_factor.seconds_to_wait(self.user):
                raise forms.ValidationError(
                    "Too many wrong codes were sent for this account."
                    f" Try again in {ceil(seconds / 60)} minutes."
                )
            code = self._checked()
        if code is None:
            second_factor.tell_failed(request, self.user)
            raise get_adapter().validation_error("incorrect_code")
        return code

    def _checked(self) -> str | None:
        """Return the code that was sent; None, and count it, where it is wrong."""
        try:
            code: str = super().clean_code()
            if second_factor.spend(self.authenticator, code):
                return code
        except forms.ValidationError:
            pass
        second_factor.count_wrong(self.user)
        return None


class SignInForm(OnceEach, AuthenticateForm):
    """The code that is asked for after the password."""


class ConfirmForm(OnceEach, ReauthenticateForm):
    """A code, before something that whoever finds an open browser must not do."""


class PasswordForm(ReauthenticateByPasswordForm):
    """The password, before the same; it is taken exactly, spaces and all."""

    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password", "autofocus": True}),
    )


class ActivateForm(ActivateTOTPForm):
    """The first code of an app, which shows that it has the secret."""

    code = CodeField("The six digits that the app shows now")

    def __init__(self, *arguments: Any, **words: Any) -> None:
        super().__init__(*arguments, **words)
        # Of the secret, groups of four letters are easier to type.
        self.groups = [self.secret[at : at + 4] for at in range(0, len(self.secret), 4)]
