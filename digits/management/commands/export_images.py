"""`manage.py export_images TRAIN.csv TEST.csv TRAIN/ TEST/`: rows of pixels as PNG files."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.management.layouts import add_layout_options, print_assumptions, wished
from digits.management.progress import progress
from worker.files.datasets import DatasetError
from worker.files.exports import export_images


class Command(BaseCommand):
    help = (
        "Write each row of Kaggle's train.csv and test.csv as a PNG of 28x28 pixels, named by its"
        " index from 0; the labels go to labels.csv beside them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for name in ("train_csv", "test_csv", "train_dir", "test_dir"):
            parser.add_argument(name, type=Path)
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")
        add_layout_options(parser)

    def handle(
        self,
        *,
        train_csv: Path,
        test_csv: Path,
        train_dir: Path,
        test_dir: Path,
        **options: Any,
    ) -> None:
        counts = {}
        wishes, on_layout = wished(options), partial(print_assumptions, self)
        try:
            for table, folder in ((train_csv, train_dir), (test_csv, test_dir)):
                with progress(f"Writing {folder}", None) as advance:
                    counts[str(folder)] = export_images(table, folder, advance, wishes, on_layout)
        except DatasetError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        for name, count in counts.items():
            self.stdout.write(f"{count:,} images written to {name}")
