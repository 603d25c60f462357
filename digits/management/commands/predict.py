"""`manage.py predict SOURCE -o FILE`: read many digits at once, without a server."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.batches import parts
from digits.management.layouts import add_layout_options, print_assumptions, wished
from digits.management.progress import progress
from digits.tasks import serving
from worker.files.plans import BulkError
from worker.reading.bundle import ModelError

if TYPE_CHECKING:
    from worker.files.part_reading import Item
    from worker.files.sources import Source


class Command(BaseCommand):
    help = (
        'Read a CSV of pixels as Kaggle\'s "Digit Recognizer" has them, an IDX file, a ZIP of'
        " images, or a folder of them, as bulk jobs are read; and write ImageId,Label as Kaggle"
        " wants it. Uses the active model version, or the model that ships if there is no"
        " database yet. Exits with 1 if any row or image could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source", type=Path, help="a CSV, IDX, NPY, NPZ or ZIP file, or a folder"
        )
        parser.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="write here, not to standard output"
        )
        parser.add_argument("--labels", type=Path, metavar="FILE", help="the labels of an IDX file")
        parser.add_argument(
            "--confidences", action="store_true", help="write all fields of each row"
        )
        parser.add_argument(
            "--json", action="store_true", help="print the figures as JSON; needs --output"
        )
        parser.add_argument("--model", type=Path, help="read with this .keras file")
        add_layout_options(parser)

    def handle(
        self,
        *,
        source: Path,
        output: Path | None,
        labels: Path | None,
        confidences: bool,
        model: Path | None,
        **options: Any,
    ) -> None:
        if options["json"] and output is None:
            raise CommandError("expected --output FILE beside --json, received none")
        from worker.files import results
        from worker.files.sources import open_source

        self.total = self.bad = self.right = 0
        started = time.monotonic()
        wishes = wished(options)
        try:
            with (
                open_source(source, labels, parts.limits(), settings.MAX_PIXELS, wishes) as opened,
                progress("Reading", opened.total, prints=output is None) as advance,
            ):
                print_assumptions(self, opened.layout)
                readings = opened.read(serving.local_engine(model))
                items = self.counted(readings, opened.kind, advance)
                write = (
                    results.detailed(items) if confidences else results.kaggle(items, opened.kind)
                )
                self.write(write, output)
        except (BulkError, ModelError) as error:
            raise CommandError(str(error)) from error
        seconds = time.monotonic() - started
        self.report(opened, output, seconds, as_json=options["json"])
        if self.bad:
            sys.exit(1)

    def counted(
        self, parts: Iterable[list["Item"]], kind: str, advance: Callable[[int], None]
    ) -> Iterator["Item"]:
        """Yield the items of all parts, and count them."""
        from worker.files.results import label_of

        for items in parts:
            for item in items:
                self.total += 1
                if item.error:
                    self.bad += 1
                    self.stderr.write(f"{item.name or f'row {item.number}'}: {item.error}")
                self.right += bool(item.truth) and label_of(item, kind) == item.truth
                yield item
            advance(len(items))

    def write(self, lines: Iterable[str], output: Path | None) -> None:
        if output is None:
            for some in lines:
                self.stdout.write(some, ending="")
            return
        with _whole(output) as file:
            file.writelines(lines)

    def report(
        self, source: "Source", output: Path | None, seconds: float, *, as_json: bool
    ) -> None:
        accuracy = None
        if source.labelled and self.total > self.bad:
            accuracy = round(self.right / (self.total - self.bad), 6)
        figures = {
            "kind": source.kind,
            "rows": self.total,
            "bad": self.bad,
            "accuracy": accuracy,
            "seconds": round(seconds, 3),
            "output": str(output),
            "assumptions": list(source.layout.assumptions),
        }
        if as_json:
            self.stdout.write(json.dumps(figures))
            return
        text = f"{self.total:,} read"
        text += f", {self.bad:,} could not be" if self.bad else ""
        text += f", {accuracy:.2%} right" if accuracy is not None else ""
        text += f"; written to {output}" if output else ""
        (self.stdout if output else self.stderr).write(text)


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Open a file for writing; it replaces `path` at the end, or not at all after an error."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as draft:
            try:
                yield draft
            except BaseException:
                os.unlink(draft.name)
                raise
        os.chmod(draft.name, 0o644)
        os.replace(draft.name, path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
