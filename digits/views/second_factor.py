"""The second factor: allauth's views of it, with pages of this site."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account.views import ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as ReauthenticateByCodeView
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views import View
from django.views.decorators.cache import never_cache

from digits.accounts import second_factor


class Refusing:
    """Answers with status 400 where a form is not valid, as all forms of the site do."""

    def form_invalid(self, form: Form) -> HttpResponse:
        answer: TemplateResponse = super().form_invalid(form)  # type: ignore[misc]
        answer.status_code = 400
        return answer


class SignInByCode(Refusing, AuthenticateView):
    """Ask for a code, after the password."""

    template_name = "digits/code.html"


class Index(IndexView):
    """Say whether the account has a second factor, and what can be done."""

    template_name = "digits/second_factor.html"

    def get_context_data(self, **words: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        factor = second_factor.of(user)
        rows = super().get_context_data(**words)["authenticators"]
        codes = rows.get("recovery_codes")
        return {
            "factor": factor,
            "left": len(codes.get_unused_codes()) if codes else 0,
            "is_a_must": settings.SECOND_FACTOR == "staff" and user.is_staff,
        }


class SwitchOn(Refusing, ActivateTOTPView):
    """Show the secret as a QR code, and take the first code that the app makes of it."""

    template_name = "digits/second_factor_on.html"

    def dispatch(self, request: HttpRequest, *arguments: Any, **words: Any) -> HttpResponseBase:
        if second_factor.is_on(cast(User, request.user)):  # the button was pressed twice, perhaps
            return redirect("mfa_index")
        return cast(HttpResponseBase, super().dispatch(request, *arguments, **words))

    def form_valid(self, form: Form) -> HttpResponse:
        answer: HttpResponse = super().form_valid(form)
        user = cast(User, self.request.user)
        factor = second_factor.of(user)
        if factor is not None:
            second_factor.spend(factor, form.cleaned_data["code"])
        second_factor.note(self.request.session, user)
        return answer


class SwitchOff(Refusing, DeactivateTOTPView):
    """Ask, then remove the second factor with its recovery codes."""

    template_name = "digits/second_factor_off.html"


class Codes(ViewRecoveryCodesView):
    """Show the recovery codes that were not used."""

    template_name = "digits/recovery_codes.html"


class NewCodes(Refusing, GenerateRecoveryCodesView):
    """Ask, then make new recovery codes; the old ones are of no use then."""

    template_name = "digits/new_recovery_codes.html"


class ConfirmPassword(Refusing, ReauthenticateView):
    """Ask for the password, before the second factor is changed."""

    template_name = "digits/confirm.html"


class ConfirmCode(Refusing, ReauthenticateByCodeView):
    """Ask for a code, before the second factor is changed."""

    template_name = "digits/confirm.html"


def _offered(view: type[View]) -> Callable[..., HttpResponse]:
    """Return a view as a function; there is none where SECOND_FACTOR is off."""
    answer = never_cache(view.as_view())

    @wraps(answer)
    def offered(request: HttpRequest, *arguments: Any, **words: Any) -> HttpResponse:
        if settings.SECOND_FACTOR == "off":
            raise Http404("this site has no second factor")
        return cast(HttpResponse, answer(request, *arguments, **words))

    return offered


sign_in = _offered(SignInByCode)
index = _offered(Index)
switch_on = login_required(_offered(SwitchOn))
switch_off = login_required(_offered(SwitchOff))
codes = _offered(Codes)
new_codes = login_required(_offered(NewCodes))
confirm_password = _offered(ConfirmPassword)
confirm_code = _offered(ConfirmCode)
