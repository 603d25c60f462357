"""Accounts, which can be deleted with their uploads."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from digits.admin.base import Cascades

admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(Cascades, UserAdmin):  # type: ignore[type-arg]  # it takes none at run time
    """As Django's own; but an account can be deleted with its uploads."""
