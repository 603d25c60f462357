"""Accounts: what they take over from a browser session, and what is deleted with them."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from digits import rates
from digits.accounts.owners import VISITOR
from digits.addresses import network_of_request
from digits.models import Batch, Upload

BACKEND = "django.contrib.auth.backends.ModelBackend"  # of whoever signs in without a password


class LastAdmin(Exception):
    """The account is the only one that administers the site."""


def take_uploads_along(sender: type[User], request: HttpRequest, user: User, **_: Any) -> None:
    """Move what a browser session sent to the account that it signs in to."""
    visitor = request.session.pop(VISITOR, "")
    if visitor:
        Batch.objects.sent_in_session(visitor).update(user=user, visitor="")
        moved = Upload.objects.sent_in_session(visitor).update(user=user, visitor="")
        if moved:
            text = f"{moved} upload{pluralize(moved, ' was,s were')} moved to your account."
            messages.info(request, text, fail_silently=True)


def begin_new_session(sender: type[User], request: HttpRequest, user: User, **_: Any) -> None:
    """Give the session another key, also where its own account signs in once more.

    Django does so only for a session that had no account.
    """
    request.session.cycle_key()


def count_wrong_password(sender: Any, request: HttpRequest | None = None, **_: Any) -> None:
    """Receive the signal that a sign-in failed: see rates.WRONG_PASSWORDS."""
    if request is not None:
        rates.WRONG_PASSWORDS.count(network_of_request(request))


def delete(user: User) -> int:
    """Delete an account with its uploads and their files; return the number of uploads.

    Its corrections of other people's uploads stay, without its name.

    Raises:
        LastAdmin: it is the only account that administers the site.
    """
    admins = get_user_model().objects.filter(is_superuser=True, is_active=True)
    if user.is_superuser and not admins.exclude(pk=user.pk).exists():
        raise LastAdmin
    with transaction.atomic():
        deleted = Upload.objects.filter(user=user).delete_with_files()
        user.delete()
    return deleted
