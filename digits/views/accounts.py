"""Accounts: people make, change and delete their own."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from digits.accounts import accounts, second_factor, sign_ins, tokens
from digits.accounts.adapters import CONFIRM_SECONDS
from digits.accounts.owners import OwnedRequest, SignedInRequest
from digits.accounts.permissions import ROLES
from digits.addresses import is_of_this_site
from digits.formats import number_up_to
from digits.models import Upload

COUNTED = 1000  # uploads of an account
SHOWN = 50  # sign-ins of an account


def _password(label: str, **attributes: str) -> forms.CharField:
    """Return the field for the password that an account has."""
    widget = forms.PasswordInput(attrs={"autocomplete": "current-password"} | attributes)
    return forms.CharField(label=label, strip=False, widget=widget)


def _check(user: User, password: str) -> str:
    """Return an account's password, or raise ValidationError where it is not that."""
    if not user.check_password(password):
        raise forms.ValidationError("That is not your password.")
    return password


class SignUpForm(UserCreationForm):  # type: ignore[type-arg]  # it takes none at run time
    class Meta(UserCreationForm.Meta):
        labels = {"username": "User name"}
        help_texts = {"username": "Letters, digits and @ . + - _"}


class NameForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none at run time
    # Another form of the same page has a password, too.
    password = _password("Your password", id="id_password_for_name")

    class Meta:
        model = User
        fields = ["username"]
        labels = {"username": "User name"}
        help_texts = {"username": ""}

    def __init__(self, *arguments: Any, **words: Any) -> None:
        super().__init__(*arguments, **words)
        if not self.instance.has_usable_password():
            del self.fields["password"]

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("A user with that username already exists.")
        return name

    def clean_password(self) -> None:
        _check(self.instance, self.cleaned_data["password"])


class ConfirmForm(forms.Form):
    """The password of an account, if it has one, to confirm what cannot be undone."""

    password = _password("Password")

    def __init__(self, user: User, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.user = user
        if not user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        return _check(self.user, self.cleaned_data["password"])


class ChangeForm(PasswordChangeForm):
    """A new password; whoever asks for it ends their tokens with the old one."""

    end_tokens = forms.BooleanField(
        label="End my tokens, too",
        required=False,
        help_text="All programs that act as you will be refused.",
    )


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: OwnedRequest) -> HttpResponse:
    """Make an account and sign in; the uploads of the browser session are moved to it."""
    if not settings.SIGN_UP:
        raise Http404("nobody may sign up here")
    if request.user.is_authenticated:
        return redirect("account")
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.save()
        messages.success(request, f"Welcome, {user}.")
        login(request, user, backend=accounts.BACKEND)
        return redirect(_next(request))
    context = {"form": form, "next": _next(request)}
    status = 400 if form.errors else 200
    return render(request, "digits/sign_up.html", context, status=status)


def _next(request: OwnedRequest) -> str:
    """Return the address to go to after signing up, which is always on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_of_this_site(request, wanted) else reverse(settings.LOGIN_REDIRECT_URL)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: SignedInRequest) -> HttpResponse:
    """Show the account; a POST changes its name."""
    form = NameForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is changed.")
        return redirect("account")
    status = 400 if form.errors else 200
    return _account(request, status, form=form)


def _account(request: SignedInRequest, status: int, **forms_of: Any) -> HttpResponse:
    """Return the page of an account; forms_of: the forms that were sent and are not valid."""
    mine = Upload.objects.filter(user=request.user).order_by()
    context = {
        "form": NameForm(instance=request.user),
        "end_form": ConfirmForm(request.user),
        "uploads": number_up_to(mine[: COUNTED + 1].count(), COUNTED),
        "roles": request.user.groups.filter(name__in=ROLES).order_by("name"),
        "tokens": request.user.tokens.count(),
        "has_second_factor": second_factor.is_on(request.user),
        "sign_ins": sign_ins.of(request.user)[:SHOWN],
        "this_one": request.session.get(sign_ins.ROW),
    }
    return render(request, "digits/account.html", context | forms_of, status=status)


@never_cache
@login_required
@require_POST
def sign_out_elsewhere(request: SignedInRequest) -> HttpResponse:
    """End all other sessions of the account, whose password is asked for."""
    form = ConfirmForm(request.user, request.POST)
    if not form.is_valid():
        return _account(request, 400, end_form=form)
    sign_ins.end_others(request, request.user, form.data.get("password", ""))
    messages.success(request, "You are signed out everywhere but here.")
    return redirect("account")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest) -> HttpResponse:
    """Ask for the password, then delete the account with its uploads."""
    if not request.user.has_usable_password():
        sign_ins.must_be_new(request.session, CONFIRM_SECONDS)
    form = ConfirmForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            accounts.delete(request.user)
        except accounts.LastAdmin:
            messages.error(request, "You are the only admin: make another one first.")
            return redirect("account")
        logout(request)
        messages.success(request, "Your account and its uploads are deleted.")
        return redirect("login" if not settings.ANONYMOUS else "index")
    context = {"form": form, "uploads": Upload.objects.filter(user=request.user).count()}
    status = 400 if form.errors else 200
    return render(request, "digits/delete_account.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class Password(auth.PasswordChangeView):
    """Change the password; other sessions of the account end, and its tokens if wanted."""

    form_class = ChangeForm
    template_name = "digits/password.html"
    success_url = reverse_lazy("account")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        sign_ins.keep_only(self.request.session, form.user)
        messages.success(self.request, "Your password is changed.")
        if form.cleaned_data["end_tokens"] and (ended := tokens.end_all(form.user)):
            text = f"{ended} token{pluralize(ended, ' is,s are')} revoked."
            messages.success(self.request, text)
        return response
