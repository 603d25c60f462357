"""`manage.py remove_second_factor NAME`: let somebody in who has lost the telephone."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.accounts import second_factor


class Command(BaseCommand):
    help = (
        "Remove the second factor of an account with its recovery codes, so that the password alone"
        " signs it in. Make sure that it is the right person who asks for this."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name of the account")

    def handle(self, *, name: str, **_: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"expected the name of an account, received {name}")
        if not second_factor.remove(user):
            raise CommandError(f"expected an account with a second factor: {name} has none")
        self.stdout.write(f"The second factor of {name} is removed.")
