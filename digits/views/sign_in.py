"""Signing in: by name and password, then by a code where there is one, or by another server."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from digits.accounts import second_factor
from digits.accounts.owners import OwnedRequest
from digits.addresses import is_of_this_site


class SignIn(auth.LoginView):
    """The form for name and password; allauth then asks for a code where the account has one."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        from allauth.account.utils import perform_login

        user = form.get_user()
        leads_to = self.get_success_url()
        if self.request.user.is_authenticated and second_factor.is_on(user):
            logout(self.request)  # the code is asked of nobody who is signed in
        answer: HttpResponse = perform_login(self.request, user, redirect_url=leads_to)
        return answer


@never_cache
@login_not_required
@require_POST
def begin_elsewhere(request: OwnedRequest) -> HttpResponse:
    """Send the browser to the server of OIDC_ISSUER.

    A page does so, since the content security policy lets no form lead to another site.
    """
    if not settings.OIDC_ISSUER:
        raise Http404("there is no other server")
    from digits.accounts import oidc

    try:
        leads_to = oidc.begin(request, _next(request))
    except oidc.WRONG as error:
        oidc.log_failure(error)
        messages.error(request, f"{settings.OIDC_NAME} does not answer. Try again later.")
        return redirect("login")
    return render(request, "digits/elsewhere.html", {"leads_to": leads_to})


@never_cache
@login_not_required
@require_safe
def come_back(request: OwnedRequest) -> HttpResponse:
    """Sign in whom the server of OIDC_ISSUER sent back."""
    if not settings.OIDC_ISSUER:
        raise Http404("there is no other server")
    from digits.accounts import oidc

    try:
        return oidc.end(request)
    except oidc.WRONG as error:
        oidc.log_failure(error)
        messages.error(request, f"{settings.OIDC_NAME} sent an answer that is not understood.")
        return redirect("login")


def _next(request: OwnedRequest) -> str:
    wanted = request.POST.get("next", "")
    return wanted if is_of_this_site(request, wanted) else ""
