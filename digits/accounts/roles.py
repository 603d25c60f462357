"""The groups that roles are."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

from digits.accounts.permissions import ROLES


def make_missing_after_migrate(using: str, **_: Any) -> None:
    """Make the roles that do not exist; those that do are as an admin left them."""
    known = set(Group.objects.using(using).filter(name__in=ROLES).values_list("name", flat=True))
    missing = {role: names for role, names in ROLES.items() if role not in known}
    if not missing:
        return
    for label in ("auth", "digits"):  # Django makes those of an app perhaps after this
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    permissions = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in Permission.objects.using(using).select_related("content_type")
    }
    for role, names in missing.items():
        group = Group.objects.using(using).create(name=role)
        group.permissions.set(permissions[name] for name in names)
