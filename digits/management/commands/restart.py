"""`manage.py restart`: web server, workers and beat start anew, and nobody notices."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from digits.management import restarts


class Command(BaseCommand):
    help = (
        "Restart the processes of a running `manage.py up` one after another. A new web server or"
        " worker does its work before the old one ends, which finishes what it has begun; one that"
        " cannot start does not take its place."
    )

    def handle(self, **_: Any) -> None:
        try:
            failed = restarts.ask()
        except restarts.NotRunning as error:
            raise CommandError(str(error)) from error
        if failed:
            raise CommandError(f"not all was restarted: {'; '.join(failed)}")
        self.stdout.write("restarted")
