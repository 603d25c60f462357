"""`manage.py ensure_admin`: make sure that an admin exists."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = (
        "Create the first admin, named admin, with ADMIN_PASSWORD as password, or with a generated"
        " one that is printed. If an admin exists, nothing is changed."
    )

    def handle(self, **_: Any) -> None:
        users = get_user_model().objects
        first = users.filter(is_superuser=True).order_by("pk").first()
        if first:
            name = first.get_username()
            self.stdout.write(
                f'sign in as "{name}" with the password you have'
                f" (forgotten: manage.py changepassword {name})"
            )
            return
        password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(16)
        users.create_superuser("admin", password=password)
        shown = "the password in ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else password
        self.stdout.write(f'sign in as "admin", password: {shown}')
