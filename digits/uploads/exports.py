"""The history as CSV, a line for each upload."""

import csv
from collections.abc import Iterator
from typing import Any

from digits.audit.trail import record
from digits.models.audit import Act
from digits.models.uploads import UploadQuerySet
from worker.files.results import as_cell, as_read

COLUMNS = {
    "upload": "pk",
    "file": "name",
    "state": "status",
    "reading": "reading",
    "corrected": "corrected",
    "correction": "verdict",
    "confidence": "confidence",
    "version": "version__number",
    "source": "source",
    "sent": "created_at",
    "finished": "finished_at",
    "error": "error",
    "warnings": "cautions",
}
READINGS = ("reading", "corrected")
AT_ONCE = 2000


class _Echo:
    """A file whose `write` returns the text."""

    def write(self, text: str) -> str:
        return text


def uploads_as_csv(uploads: UploadQuerySet) -> Iterator[str]:
    """Return the lines of a CSV, the newest upload first; times are in UTC."""
    record(Act.EXPORTED, "the history as CSV")
    return _lines(uploads)


def _lines(uploads: UploadQuerySet) -> Iterator[str]:
    write = csv.writer(_Echo()).writerow
    yield write(COLUMNS)
    for row in uploads.values_list(*COLUMNS.values()).iterator(chunk_size=AT_ONCE):
        yield write(
            as_cell(as_read(value)) if column in READINGS else _cell(value)
            for column, value in zip(COLUMNS, row, strict=True)
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(as_cell(value.isoformat() if hasattr(value, "isoformat") else str(value)))
