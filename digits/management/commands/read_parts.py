"""`manage.py read_parts`: the process that helps a classify worker with a large bulk job."""

from typing import Any

from django.core.management.base import BaseCommand

from digits.tasks import TIME_LIMIT, helpers


class Command(BaseCommand):
    help = "Read the waiting parts of bulk jobs, and end. Classify workers start this."

    def handle(self, **_: Any) -> None:
        helpers.help_out(TIME_LIMIT)
