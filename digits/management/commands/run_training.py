"""`manage.py run_training`: the process that works on one claimed training run."""

import os
import uuid
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.models import TrainingRun
from digits.models.training import RunStatus
from digits.tasks import training, training_process


class Command(BaseCommand):
    help = "Train a claimed run. The train worker starts this; people use `train`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int)
        parser.add_argument("lease", type=uuid.UUID)

    def handle(self, *, run: int, lease: uuid.UUID, **_: Any) -> None:
        claimed = TrainingRun.objects.filter(pk=run, lease=lease, status=RunStatus.RUNNING).first()
        if claimed is None:
            raise CommandError(f"training run {run} is not held under this lease")
        os.nice(training.NICENESS)
        from worker.reading import devices

        devices.pin_all(settings.TRAIN_GPUS)
        training_process.train_run(claimed)
