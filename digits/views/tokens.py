"""Tokens of an account: they are made, shown once and revoked."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import pluralize
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from digits.accounts.owners import SignedInRequest
from digits.accounts.tokens import end_all, make
from digits.forms import TokenForm


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    """Show the account's tokens; a POST makes one, and only its response shows the secret."""
    form = TokenForm(request.POST or None, request.user)
    made = secret = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        made, secret = make(request.user, given["name"], given["scopes"], given["days"] or None)
        form = TokenForm(None, request.user)
    context = {"form": form, "tokens": request.user.tokens.all(), "made": made, "secret": secret}
    status = 201 if made else 400 if form.errors else 200
    return render(request, "digits/tokens.html", context, status=status)


@login_required
@require_POST
def revoke(request: SignedInRequest, pk: int) -> HttpResponse:
    """Delete a token, which is refused from now on."""
    token = get_object_or_404(request.user.tokens, pk=pk)
    token.delete()
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("tokens")


@login_required
@require_POST
def revoke_all(request: SignedInRequest) -> HttpResponse:
    """Delete all tokens of the account."""
    ended = end_all(request.user)
    messages.success(request, f"{ended} token{pluralize(ended, ' is,s are')} revoked.")
    return redirect("tokens")
