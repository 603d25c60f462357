"""The results of a bulk as CSV: in the format of Kaggle's "Digit Recognizer", or with details."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Protocol

from worker.files.plans import OF_PIXELS

LINES_AT_ONCE = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NEGATIVE = re.compile(r"-(?:0|[1-9][0-9]*)(?:[.][0-9]+)?")
DETAILED = (
    *("number", "name", "reading", "confidence"),
    *(f"p{digit}" for digit in range(10)),
    *("truth", "error", "warnings"),
)


class Result(Protocol):
    """An item of a bulk that was read, as worker.files.part_reading.Item or as it is stored."""

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def reading(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def probabilities(self) -> Sequence[float] | None: ...
    @property
    def truth(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def cautions(self) -> str: ...


def as_cell(value: object) -> object:
    """Return a value of a CSV that no spreadsheet takes for a formula, as a file's name may be."""
    is_formula = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if is_formula else value


def as_read(reading: str) -> str | Decimal:
    """Return a reading as a value of a CSV: as a number, where it is a negative one."""
    return Decimal(reading) if NEGATIVE.fullmatch(reading) else reading


def label_of(item: Result, kind: str) -> str:
    """Return an item's label: of a row of pixels always a digit, the most probable one."""
    if kind in OF_PIXELS and item.probabilities:
        shares = item.probabilities
        return str(max(range(10), key=lambda digit: shares[digit]))
    return item.reading


def kaggle(items: Iterable[Result], kind: str, *, id_name: str = "ImageId") -> Iterator[str]:
    """Yield `ImageId,Label` in chunks of lines; the id is a number from 1, or an image's name."""
    yield from _csv(
        (id_name, "Label"),
        ((item.name or item.number, as_read(label_of(item, kind))) for item in items),
    )


def detailed(items: Iterable[Result]) -> Iterator[str]:
    """Yield all fields of each item, in chunks of lines."""
    yield from _csv(DETAILED, (_details(item) for item in items))


def _details(item: Result) -> list[object]:
    shares: Sequence[object] = item.probabilities or [""] * 10
    sure = "" if item.confidence is None else item.confidence
    own = [item.number, item.name, as_read(item.reading), sure]
    return [*own, *shares, item.truth, item.error, item.cautions]


def _csv(header: tuple[str, ...], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    text = io.StringIO()
    # With \r\n as the end of lines it quotes either of these in a name: a bare \r ends a line, too.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow(map(as_cell, row))
        if number % LINES_AT_ONCE == 0:
            yield text.getvalue().replace("\r\n", "\n")
            text.seek(0)
            text.truncate()
    yield text.getvalue().replace("\r\n", "\n")
