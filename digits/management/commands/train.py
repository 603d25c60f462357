"""`manage.py train`: learn from MNIST and the corrections, or make the model that ships."""

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from digits.learning import runs
from digits.management.progress import above_bar, progress
from digits.models.training import Origin, RunStatus
from digits.queue.leases import new_lease
from digits.tasks import training_process
from digits.tasks.training_process import Watch
from worker.metrics import Epoch
from worker.training.recipes import Recipe

HELP = {
    "architecture": "cnn or mlp",
    "epochs": "how many times the images are seen, distorted anew each time",
    "finishing_epochs": "how many more times, less distorted, at a lower learning rate",
    "batch_size": "images a step",
    "not_digits": "the share of each batch that is not a digit",
    "cuttings": "the share of each batch that is cut from digits that touch",
    "learning_rate": "the highest step size",
    "weight_decay": "how strongly weights are pulled to zero",
    "label_smoothing": "how much certainty is taken from the labels",
    "images_per_epoch": "of MNIST's images; 0 means all",
    "correction_weight": "how many times an epoch shows each correction",
    "precision": "auto, float32, or mixed_bfloat16 (faster where the processor has it)",
    "student_epochs": "how many epochs of images its student learns from; 0 makes none",
    "seed": "the same seed gives the same training",
}


class Command(BaseCommand):
    help = (
        "Train on MNIST and the corrections. By default the active version is fine-tuned on what is"
        " new, in this process, as a training run that the site shows. --from-scratch trains a new"
        " network; --output does so from MNIST alone, without the database, and writes digits.keras"
        " and metrics.json: that is how the model that ships was made. --start makes --output go on"
        " from a model file; --student-only leaves that model as it is and makes it a new student."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, help="the folder for digits.keras, metrics.json")
        parser.add_argument(
            "--start", type=Path, help="with --output: the model file to go on from"
        )
        parser.add_argument(
            "--student-only",
            action="store_true",
            help="with --start: make a student for the model and train nothing else",
        )
        parser.add_argument("--from-scratch", action="store_true", help="train a new network")
        parser.add_argument("--force", action="store_true", help="train although nothing is new")
        parser.add_argument(
            "--keep-active", action="store_true", help="do not activate what reads better"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
        for name, text in HELP.items():
            parser.add_argument(f"--{name.replace('_', '-')}", default=None, help=text)

    def handle(self, *, output: Path | None, start: Path | None, **options: Any) -> None:
        if start and output is None:
            raise CommandError(
                "--start is for --output; a fine-tuning starts from the active version"
            )
        if options["student_only"] and not start:
            raise CommandError("--student-only is for --start: there is no model without it")
        is_new = options["from_scratch"] or output is not None
        try:
            recipe = (Recipe if is_new else Recipe.fine_tuning)(**_given(options))
        except ValueError as error:
            raise CommandError(str(error)) from error
        from worker.reading import devices

        devices.pin_all(settings.TRAIN_GPUS)
        epochs = (0 if options["student_only"] else recipe.all_epochs) + recipe.has_student
        with progress("epochs", epochs) as advance:

            def watch(epoch: int, step: int, steps: int) -> None:
                advance(1 / steps)

            if output is not None:
                self.make_bundle(recipe, output, watch, start, options)
            else:
                self.run_here(recipe, options, watch)

    def make_bundle(
        self,
        recipe: Recipe,
        output: Path,
        watch: Watch,
        start: Path | None,
        options: dict[str, Any],
    ) -> None:
        from worker.reading import devices
        from worker.reading.bundle import ModelError

        devices.load_backend()
        from worker.training.fit import Progress, give_student, train_on_mnist

        callbacks = Progress(watch, None if options["json"] else self.show)
        try:
            if start and options["student_only"]:
                metrics = give_student(recipe, output, start, callbacks)
            else:
                metrics = train_on_mnist(recipe, output, callbacks, start)
        except ModelError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("stopped; nothing was written")
            sys.exit(130)
        scores = metrics["evaluation"]
        if options["json"]:
            self.stdout.write(json.dumps({"output": str(output), "evaluation": scores}))
            return
        self.stdout.write(
            f"{scores['mnist']['accuracy']:.2%} of MNIST's test images are read right,"
            f" {scores['mnist-files']['accuracy']:.2%} of them as PNG files; written to {output}"
        )

    def show(self, epoch: int, figures: Epoch) -> None:
        shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.stdout.write(above_bar(f"epoch {epoch}: {shown}"))
        self.stdout.flush()

    def run_here(self, recipe: Recipe, options: dict[str, Any], watch: Watch) -> None:
        """Train as a run that this process has claimed, and print the outcome."""
        now = timezone.now()
        try:
            run = runs.ask(
                recipe,
                from_scratch=options["from_scratch"],
                activate_if_better=not options["keep_active"],
                forced=options["force"],
                origin=Origin.COMMAND,
                status=RunStatus.RUNNING,
                **new_lease(),
                attempts=settings.MAX_ATTEMPTS,  # nobody else goes on with it
                started_at=now,
            )
        except runs.AlreadyRunning as error:
            raise CommandError(str(error)) from error
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            training_process.train_run(run, watch)
        except KeyboardInterrupt:
            runs.finish(run, RunStatus.CANCELLED, "cancelled")
            self.stderr.write("cancelled; no version was made")
            sys.exit(130)
        run.refresh_from_db()
        if run.status != RunStatus.DONE:
            raise CommandError(run.error or f"{run} was {run.get_status_display()}")
        if options["json"]:
            version = run.version and run.version.number
            self.stdout.write(json.dumps({"outcome": run.outcome, "version": version}))
            return
        self.stdout.write(run.outcome)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the given settings, each converted to the type of its field.

    Raises:
        CommandError: a value is invalid.
    """
    given: dict[str, Any] = {}
    for field in fields(Recipe):
        if options[field.name] is not None:
            try:
                kind: Callable[[str], Any] = type(field.default)
                given[field.name] = kind(options[field.name])
            except ValueError as error:
                raise CommandError(f"{field.name}: {error}") from error
    return given
