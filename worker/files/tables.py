"""CSV files of digits, as Kaggle's "Digit Recognizer" has them, read line by line.

A row is 784 pixels (0 paper to 255 ink), or a label and 784 pixels, with or without a header.
"""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from worker.arrays import Labels, Pixels
from worker.files.datasets import UNREADABLE, Dataset, DatasetError
from worker.files.wording import shown

PIXELS = 28 * 28
MOST_BLANK = 10_000  # blank lines more than rows: a file of nothing else takes a while to read
LONGEST_LINE = 64 * 1024  # bytes; a row of pixels has some 3,000
_BOM = b"\xef\xbb\xbf"
_BYTES = {str(value).encode(): value for value in range(256)}


@dataclass(frozen=True)
class Layout:
    """Where a CSV's rows begin, in bytes, and whether each begins with a label."""

    start: int
    has_labels: bool


@dataclass(frozen=True)
class Row:
    """One row: its number from 1, its label if it has one, and its pixels, or its error.

    pixels: 784 bytes; 0 is paper, 255 is full ink.
    """

    number: int
    label: int | None = None
    pixels: bytes | None = None
    error: str = ""


def read_layout(file: BinaryIO) -> Layout:
    """Look at the first line of a CSV.

    Raises:
        DatasetError: it has neither 784 nor 785 columns, or its label is not the first.
    """
    file.seek(0)
    line = _line(file, 1)
    cells = [cell.strip(b"\" '") for cell in line.removeprefix(_BOM).strip().split(b",")]
    if len(cells) not in (PIXELS, PIXELS + 1):
        raise DatasetError(
            "expected 784 pixels, or a label and 784 pixels, with commas between them, received"
            f" {len(cells)} {'value' if len(cells) == 1 else 'values'} in the first line"
        )
    has_labels = len(cells) == PIXELS + 1
    if all(map(_is_number, cells)):
        return Layout(len(_BOM) if line.startswith(_BOM) else 0, has_labels)
    if has_labels and b"label" in cells[1:]:
        raise DatasetError('expected the column "label" to be the first one')
    return Layout(file.tell(), has_labels)


def lines(file: BinaryIO, start: int, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield a CSV's lines between two offsets, each with its offset; blank lines are left out.

    Without an end, all of it is looked at, and not only a part that was planned.

    Raises:
        DatasetError: a line is longer than any row can be, or most lines of the whole are blank.
    """
    file.seek(start)
    number = blank = 0
    while end is None or start < end:
        line = _line(file, number + 1)
        if not line:
            return
        if not line.isspace():
            number += 1
            yield start, line
        else:
            blank += 1
            if end is None and blank > MOST_BLANK + number:
                raise DatasetError(f"expected rows, received {blank:,} blank lines")
        start += len(line)


def parse(line: bytes, has_labels: bool) -> tuple[int | None, bytes]:
    """Return a row's label (None if it has none) and its 784 pixels.

    Raises:
        DatasetError: it has more or fewer values, or one of another kind.
    """
    cells = line.strip().split(b",")
    if len(cells) != PIXELS + has_labels:
        wanted = "a label and 784 pixels" if has_labels else "784 pixels"
        raise DatasetError(f"expected {wanted}, received {len(cells)} values")
    try:
        values = bytes(map(_BYTES.__getitem__, cells))
    except KeyError:  # written otherwise, as " 7", "7.0" or '"7"', or wrong
        values = bytes(_value(cell, column) for column, cell in enumerate(cells, 1))
    if not has_labels:
        return None, values
    if values[0] > 9:
        raise DatasetError(f"expected a label from 0 to 9, received {values[0]}")
    return values[0], values[1:]


def rows(file: BinaryIO, layout: Layout, first: int = 1, end: int | None = None) -> Iterator[Row]:
    """Yield the rows from the offset of the layout on, numbered from `first`.

    A row that is wrong has an error, and does not affect the others.
    """
    for number, (_, line) in enumerate(lines(file, layout.start, end), first):
        try:
            yield Row(number, *parse(line, layout.has_labels))
        except DatasetError as error:
            yield Row(number, error=str(error))


def load_csv(path: Path) -> Dataset:
    """Load a labelled CSV, gzipped or not.

    Raises:
        DatasetError: with the number of the first row that is wrong, counted from 1.
    """
    try:
        with open_plain(path) as file:
            layout = read_layout(file)
            if not layout.has_labels:
                raise DatasetError("expected a label and 784 pixels, received 784 values")
            found = list(rows(file, layout))
    except UNREADABLE as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    for row in found:
        if row.error:
            raise DatasetError(f"{path}: row {row.number}: {row.error}")
    pixels = b"".join(row.pixels or b"" for row in found)
    return Dataset(
        np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28),
        np.array([row.label for row in found], np.uint8),
    )


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, those inside where it is gzipped."""
    with open(path, "rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic == b"\x1f\x8b":
            with gzip.open(file) as inside:
                yield cast("BinaryIO", inside)  # it reads as one, and only reading is asked of it
        else:
            yield file


def _line(file: BinaryIO, number: int) -> bytes:
    line = file.readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        raise DatasetError(
            f"expected lines of at most {LONGEST_LINE // 1024} kB, received a longer one as"
            f" row {number}"
        )
    return line


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _value(cell: bytes, column: int) -> int:
    text = cell.strip(b"\" '").decode("ascii", "replace")
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (0 <= number <= 255 and number.is_integer()):
        raise DatasetError(
            f'expected whole numbers from 0 to 255, received "{shown(text, 40)}" in column {column}'
        )
    return int(number)


def write_csv(file: BinaryIO, images: Pixels, labels: Labels | None = None) -> None:
    """Write images as Kaggle's files have them: a header, then a row for each.

    Args:
        images: uint8, shape (n, 28, 28).
        labels: of each image, as the first column; None leaves it out, as in `test.csv`.
    """
    names = [f"pixel{place}" for place in range(PIXELS)]
    file.write((",".join(names if labels is None else ["label", *names]) + "\n").encode())
    for place, image in enumerate(images):
        values = [] if labels is None else [int(labels[place])]
        file.write((",".join(map(str, [*values, *image.reshape(-1)])) + "\n").encode())
