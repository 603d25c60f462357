"""`manage.py withdraw_corrections NAME`: withdraw all that a person said of digits."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.learning.withdrawal import withdraw
from digits.models import Correction


class Command(BaseCommand):
    help = (
        "Withdraw all corrections of an account, or with --visitor of a browser session. Digits go"
        " back to what others said of them, or to their reading; versions that were trained on what"
        " is withdrawn are marked, and the account is not trusted any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name of the account, or with --visitor a session")
        parser.add_argument(
            "--visitor",
            action="store_true",
            help="the name is that of a browser session, as the admin shows it with a correction",
        )

    def handle(self, *, name: str, visitor: bool, **_: Any) -> None:
        if visitor:
            if not Correction.objects.filter(visitor=name).exists():
                raise CommandError(f"expected a browser session that made corrections, got {name}")
            self.stdout.write(f"{withdraw(visitor=name)}")
            return
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"expected the name of an account, received {name}")
        self.stdout.write(f"{withdraw(user)}")
