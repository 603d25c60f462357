"""`manage.py export_corrections FOLDER`: write corrected digits for other programs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandParser

from digits.audit.trail import record
from digits.learning import data
from digits.models.audit import Act
from digits.models.corrections import NOT_A_DIGIT
from worker.files.datasets import Dataset, write_idx
from worker.files.exports import export_dataset

NAME = "corrections"


class Command(BaseCommand):
    help = (
        "Write all corrected digits as a pair of gzipped IDX files, as MNIST has them, and as a CSV"
        ' of a label and 784 pixels a row. Images labelled "not a digit" have no label in these'
        " formats: they are written to an IDX file of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--trusted", action="store_true", help="only those that trainings learn from"
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *, folder: Path, **options: Any) -> None:
        record(Act.EXPORTED, "corrections", f"to {folder}")
        if options["trusted"]:
            found = data.collect()
            images = np.concatenate([found.learned.images, found.held_out.images])
            labels = np.concatenate([found.learned.labels, found.held_out.labels])
            skipped = found.skipped
        else:
            every, skipped = data.everything()
            images, labels = every.images, every.labels
        is_digit = labels != NOT_A_DIGIT
        export_dataset(Dataset(images[is_digit], labels[is_digit]), folder, NAME)
        write_idx(folder / "not-digits-images-idx3-ubyte.gz", images[~is_digit])
        figures = {
            "digits": int(is_digit.sum()),
            "not_digits": int((~is_digit).sum()),
            "skipped": len(skipped),
        }
        if options["json"]:
            self.stdout.write(json.dumps(figures))
            return
        self.stdout.write(
            f"{figures['digits']:,} digits and {figures['not_digits']:,} images without a digit"
            f" written to {folder}"
        )
        if skipped:
            self.stderr.write(f"{len(skipped):,} were skipped: their pixels cannot be read")
