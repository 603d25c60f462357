"""`manage.py activate NUMBER`: activate a model version."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.models import Activation, ModelVersion
from digits.versions import activations


class Command(BaseCommand):
    help = (
        "Make a model version the active one, or roll back to an earlier one. A classify worker"
        " loads the version and tries it first; one that is broken is refused, with the reason and"
        " exit status 1, and the version before stays active."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="the version's number")
        parser.add_argument(
            "--wait",
            type=float,
            default=60,
            metavar="SECONDS",
            help="how long to wait for a worker (default: %(default)s)",
        )

    def handle(self, *, number: int, wait: float, **_: Any) -> None:
        version = ModelVersion.objects.filter(number=number).first()
        if version is None:
            numbers = ModelVersion.objects.order_by("number").values_list("number", flat=True)
            known = ", ".join(map(str, numbers))
            raise CommandError(f"expected the number of a version ({known}), received {number}")
        activation = activations.request(version)
        if not activations.wait_for(activation, wait):
            raise CommandError(
                f"no worker has tried {version} within {wait:g} s; the activation stays queued"
            )
        if activation.status == Activation.Status.REFUSED:
            raise CommandError(f"{version} was refused: {activation.reason}")
        self.stdout.write(f"{version} is active")
