"""`manage.py train_verifier`: train the network that verifies cuts of touching digits."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.management.progress import above_bar, progress
from worker.metrics import Epoch
from worker.training.recipes import VerifierRecipe

HELP = {
    "parts": "how many parts of strings are made to learn from",
    "epochs": "how many times they are seen",
    "learning_rate": "the highest step size",
    "seed": "the same seed gives the same training",
}


class Command(BaseCommand):
    help = (
        "Train the verifier on strings of MNIST's training images, without the database, and write"
        " verifier.keras and verifier.json: that is how the one that ships was made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
        for field in fields(VerifierRecipe):
            name, kind = field.name.replace("_", "-"), type(field.default)
            text = f"{HELP[field.name]} (default {field.default})"
            parser.add_argument(f"--{name}", type=kind, default=field.default, help=text)

    def handle(self, *, output: Path, **options: Any) -> None:
        try:
            recipe = VerifierRecipe(**{name: options[name] for name in HELP})
        except ValueError as error:
            raise CommandError(str(error)) from error
        from worker.reading import devices

        devices.load_backend()
        from worker.training.verifier_training import make_verifier

        with progress("epochs", recipe.epochs) as advance:

            def on_epoch(epoch: int, figures: Epoch) -> None:
                advance(1)
                shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
                self.stdout.write(above_bar(f"epoch {epoch}: {shown}"))
                self.stdout.flush()

            try:
                facts = make_verifier(recipe, output, on_epoch)
            except KeyboardInterrupt:
                self.stderr.write("stopped; nothing was written")
                sys.exit(130)
        self.stdout.write(f"{facts['parameters']:,} parameters; written to {output}")
