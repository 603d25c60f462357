"""`manage.py train`: train a model on MNIST."""

import sys
from dataclasses import fields
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

HELP = {
    "architecture": "cnn or mlp",
    "epochs": "how many times all images are seen, distorted anew each time",
    "finishing_epochs": "how many more times, hardly distorted, at a lower learning rate",
    "batch_size": "images a step",
    "not_digits": "the share of each batch that is no digit",
    "learning_rate": "the highest step size",
    "weight_decay": "how strongly weights are pulled to zero",
    "label_smoothing": "how much certainty is taken from the labels",
    "precision": "auto, float32, or mixed_bfloat16 (faster where the processor has it)",
    "seed": "the same seed gives the same training",
}


class Command(BaseCommand):
    help = (
        "Train a model on MNIST's 60,000 training images, judge it on the 10,000 test images, and"
        " write digits.keras and metrics.json. The defaults make the model that ships."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--output",
            type=Path,
            default=settings.DATA_DIR / "trained",
            help="the folder for digits.keras and metrics.json (default: %(default)s)",
        )
        for name, text in HELP.items():
            parser.add_argument(f"--{name.replace('_', '-')}", default=None, help=text)

    def handle(self, *, output, **options):
        from worker import devices

        devices.pin(0, settings.GPUS)
        devices.load_backend()
        from worker.recipes import Recipe
        from worker.training import train_on_mnist

        given = {}
        for field in fields(Recipe):
            if options[field.name] is not None:
                try:
                    given[field.name] = type(field.default)(options[field.name])
                except ValueError as error:
                    raise CommandError(f"{field.name}: {error}") from error
        try:
            metrics = train_on_mnist(Recipe(**given), output, on_epoch=self.show)
        except ValueError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("stopped; nothing was written")
            sys.exit(130)
        scores = metrics["evaluation"]
        self.stdout.write(
            f"{scores['mnist']['accuracy']:.2%} of MNIST's test images are read right,"
            f" {scores['mnist-files']['accuracy']:.2%} of them as PNG files; written to {output}"
        )

    def show(self, epoch: int, figures: dict):
        shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.stdout.write(f"epoch {epoch}: {shown}")
        self.stdout.flush()
