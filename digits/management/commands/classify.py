"""`manage.py classify PATH...`: read image files without a server."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.management.progress import progress
from digits.tasks import serving
from worker.images.errors import ImageError
from worker.reading.bundle import ModelError
from worker.reading.cautions import TEXTS

if TYPE_CHECKING:
    from worker.reading.engine import Engine
    from worker.reading.reading import Reading

CHUNK = 64


class Command(BaseCommand):
    help = (
        "Read image files, and folders of them, with the active model version, or with the model"
        " that ships if there is no database yet. Exits with 1 if any file could not be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="an image file, or a folder")
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")
        parser.add_argument("--model", type=Path, help="read with this .keras file")

    def handle(self, *, paths: list[str], json: bool, model: Path | None, **_: Any) -> None:
        try:
            engine = serving.local_engine(model)
        except ModelError as error:
            raise CommandError(str(error)) from error
        show = self.show_json if json else self.show_line
        files = [file for path in paths for file in _files(path)]
        failed = 0
        with progress("Reading", len(files), prints=True) as advance:
            for start in range(0, len(files), CHUNK):
                for file, reading in _read(engine, files[start : start + CHUNK]):
                    failed += reading.error is not None
                    show(file, reading)
                    advance(1)
        if failed:
            sys.exit(1)

    def show_json(self, file: str, reading: "Reading") -> None:
        digits = [
            {
                "digit": digit.value,
                "before": digit.before,
                "after": digit.after,
                "confidence": round(digit.confidence, 6),
                "box": list(digit.glyph.box),
                "probabilities": [round(float(p), 6) for p in digit.probabilities],
            }
            for digit in reading.digits
        ]
        error = str(reading.error) if reading.error else None
        line = {"file": file, "reading": reading.text, "digits": digits, "error": error}
        self.stdout.write(json.dumps(line | {"warnings": list(reading.cautions)}))

    def show_line(self, file: str, reading: "Reading") -> None:
        if reading.error:
            self.stderr.write(f"{file}: {reading.error}")
        elif reading.text:
            self.stdout.write(f"{file}: {reading.text} ({reading.confidence:.1%})")
        elif reading.digits:
            self.stdout.write(f"{file}: not a digit ({reading.confidence:.1%})")
        else:
            self.stdout.write(f"{file}: no digit found")
        for caution in reading.cautions:
            self.stderr.write(f"{file}: {TEXTS[caution]}")


def _files(path: str) -> list[str]:
    """Return the files of a folder in order; for a file, the file itself."""
    if not Path(path).is_dir():
        return [path]
    return sorted(str(file) for file in Path(path).rglob("*") if file.is_file())


def _read(engine: "Engine", files: list[str]) -> list[tuple[str, "Reading"]]:
    """Return each file with its reading; one that cannot be opened has an error."""
    from worker.reading.reading import Reading, read_images

    contents: list[bytes] = []
    errors: dict[str, Reading] = {}
    for file in files:
        try:
            contents.append(Path(file).read_bytes())
        except OSError as error:
            errors[file] = Reading(
                error=ImageError(f"The file cannot be opened: {error.strerror}.")
            )
    readings = iter(read_images(engine, contents, settings.MAX_PIXELS))
    return [(file, errors.get(file) or next(readings)) for file in files]
