"""Many images in one file: its kind, its limits, and its division into parts.

A file is planned once: its kind is detected from its content, and it is divided into parts. Each
part can be read by any process, in any order, and more than once: see worker.files.part_reading.
"""

import contextlib
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from worker.arrays import Floats
from worker.files import archives, layouts, tables, wrappings
from worker.files.archives import ArchiveError
from worker.files.datasets import DatasetError
from worker.files.layouts import PIXELS, Layout, Question, Wishes
from worker.files.wrappings import CSV, GZIPPED, IDX, LABELS, ZIP, Refused, Unwrapped, kind_of

__all__ = [
    "CSV",
    "GZIPPED",
    "IDX",
    "LABELS",
    "ZIP",
    "BulkError",
    "Limits",
    "Part",
    "Plan",
    "kind_of",
]

ROWS_A_PART = 256
IMAGES_A_PART, BYTES_A_PART = 64, 4 * 1024 * 1024
ROWS_LOOKED_AT = 400
OF_PIXELS = (CSV, IDX)  # kinds whose rows are 28x28 pixels: they go through the network as they are
LEAST_IN_FOLDERS = 0.9  # of the files, where the names of folders are taken for labels


class BulkError(ValueError):
    """A file cannot be read as a bulk; the message is for the person who sent it.

    option: what the sender can say about the file so that it is read; empty if nothing helps.
    """

    def __init__(self, text: str, option: str = "") -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True)
class Limits:
    """The limits of a bulk: rows of pixels, and those of an archive of images."""

    rows: int = 100_000
    archive: archives.Limits = field(default_factory=archives.Limits)


@dataclass(frozen=True)
class Part:
    """Some rows of a bulk: the number of the first, from 1, how many, and where their bytes lie."""

    first: int
    rows: int
    offset: int = 0
    size: int = 0


@dataclass(frozen=True)
class Plan:
    """The plan of a file: its kind, whether its rows are labelled, its parts, and its layout."""

    kind: str
    labelled: bool
    parts: list[Part]
    layout: Layout = field(default_factory=Layout)

    @property
    def total(self) -> int:
        return sum(part.rows for part in self.parts)


@contextlib.contextmanager
def _as_bulk_errors(kind: str = "") -> Iterator[None]:
    try:
        yield
    except (ArchiveError, Refused) as error:
        raise BulkError(str(error)) from error
    except Question as error:
        raise BulkError(f"{str(error)[:1].upper()}{str(error)[1:]}.", error.option) from error
    except DatasetError as error:
        raise BulkError(f"The file cannot be read as {kind.upper()}: {error}.") from error


def unpacked(file: BinaryIO, packed_bytes: int, limits: Limits) -> BinaryIO:
    """Unpack a gzipped file to a temporary one, which is deleted when it is closed.

    Raises:
        BulkError: it is damaged, or larger than a ZIP's content may be.
    """
    most = wrappings.most_unpacked(packed_bytes, limits.archive)
    with contextlib.ExitStack() as undone, _as_bulk_errors():
        target = undone.enter_context(tempfile.TemporaryFile())
        wrappings.gunzip(file, target, most)
        undone.pop_all()  # the caller closes it
    return target


def unwrapped(
    file: BinaryIO,
    size: int,
    limits: Limits,
    opened: contextlib.ExitStack,
    wishes: Wishes | None = None,
) -> Unwrapped:
    """Unpack and convert a file until it can be planned; see worker.files.wrappings.unwrap.

    Raises:
        BulkError: it is damaged, too large, or of a kind that is not read.
    """
    with _as_bulk_errors("idx"):
        return wrappings.unwrap(file, size, limits.archive, opened, wishes)


def plan(
    file: BinaryIO | Unwrapped,
    labels: BinaryIO | None,
    limits: Limits,
    wishes: Wishes | None = None,
) -> Plan:
    """Check a file, and the labels of an IDX file, and divide it into parts.

    Args:
        file: the file, or what was in it.
        labels: those of an IDX file, where they are not with it.
        limits: what it may have.
        wishes: what the sender says about its layout.

    Raises:
        BulkError: the file is not a bulk, exceeds a limit, or its layout cannot be decided.
    """
    inside = file if isinstance(file, Unwrapped) else Unwrapped(file)
    labels = labels or inside.labels
    wishes = wishes or Wishes()
    kind = kind_of(inside.file)
    if labels is not None and kind != IDX:
        raise BulkError("A file of labels belongs to an IDX file of images only.")
    with _as_bulk_errors(kind):
        if kind == ZIP:
            made = _plan_zip(inside.file, limits, wishes)
        elif kind == IDX:
            made = _plan_idx(inside, labels, limits, wishes)
        elif kind == CSV:
            made = _plan_csv(inside.file, limits, wishes)
        else:
            raise BulkError("The file of labels came without its IDX file of images.")
    said = (*inside.said, *made.layout.assumptions)
    return replace(made, layout=replace(made.layout, assumptions=said))


def _plan_csv(file: BinaryIO, limits: Limits, wishes: Wishes) -> Plan:
    layout = tables.read_layout(file, wishes)
    parts, count, begin, end = [], 0, layout.start, layout.start
    for offset, line in tables.lines(file, layout.start):
        if count and count % ROWS_A_PART == 0:
            parts.append(Part(count - ROWS_A_PART + 1, ROWS_A_PART, begin, offset - begin))
            begin = offset
        count += 1
        end = offset + len(line)
        _check_rows(count, limits)
    if not count:
        raise BulkError("The CSV holds no rows.")
    rest = count - len(parts) * ROWS_A_PART
    parts.append(Part(count - rest + 1, rest, begin, end - begin))
    return Plan(CSV, layout.has_labels, parts, layout)


def _plan_idx(inside: Unwrapped, labels: BinaryIO | None, limits: Limits, wishes: Wishes) -> Plan:
    file = inside.file
    count, *shape = _idx_header(file, 3)
    if shape != [28, 28]:
        raise DatasetError(f"expected images of 28x28 pixels, received {shape[1]}x{shape[0]}")
    if not count:
        raise BulkError("The IDX file holds no images.")
    _check_rows(count, limits)
    _check_length(file, 16, count * PIXELS)
    if labels is not None:
        if kind_of(labels) != LABELS:
            raise DatasetError("expected a second file of labels in IDX")
        (label_count,) = _idx_header(labels, 1)
        if label_count != count:
            raise DatasetError(
                f"expected a label for each of {count:,} images, received {label_count:,}"
            )
        _check_length(labels, 8, label_count)
    starts = range(0, count, ROWS_A_PART)
    parts = [Part(start + 1, min(ROWS_A_PART, count - start)) for start in starts]
    return Plan(IDX, labels is not None, parts, _idx_layout(inside, count, wishes))


def _idx_layout(inside: Unwrapped, count: int, wishes: Wishes) -> Layout:
    if wishes.label_column:
        raise Question("an IDX file has no columns: leave label_column blank", "label_column")
    if inside.ends:  # its values were brought to 0 to 255 by what the sender says of them
        wishes = replace(wishes, scale="0..255")
    look = layouts.look_of(_some_rows(inside.file, count), wishes)
    low, high = inside.ends or (look.low, look.high)
    given = vars(look) | {"low": low, "high": high, "converted": inside.ends is not None}
    return Layout(**given)


def _some_rows(file: BinaryIO, count: int) -> Floats:
    """Return some of the images of an IDX file: shape (n, 784)."""
    found = []
    for place in np.linspace(0, count, min(count, ROWS_LOOKED_AT), endpoint=False).astype(int):
        file.seek(16 + int(place) * PIXELS)
        found.append(file.read(PIXELS))
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, PIXELS).astype(float)


def _plan_zip(file: BinaryIO, limits: Limits, wishes: Wishes) -> Plan:
    archive = archives.open_archive(file, limits.archive)
    size = file.seek(0, 2)
    parts, first, rows, filled = [], 1, 0, 0
    entries = archives.check(archive, size, limits.archive)
    for entry in entries:
        if rows and (rows == IMAGES_A_PART or filled + entry.file_size > BYTES_A_PART):
            parts.append(Part(first, rows))
            first, rows, filled = first + rows, 0, 0
        rows += 1
        filled += entry.file_size
    layout = _zip_layout([entry.filename for entry in entries], wishes)
    return Plan(ZIP, layout.folders, [*parts, Part(first, rows)], layout)


def _zip_layout(names: list[str], wishes: Wishes) -> Layout:
    """Return whether the folders 0 to 9 in a ZIP are labels."""
    if wishes.label_column:
        if wishes.label_column.strip().lower() == "none":
            return Layout()
        raise Question(
            "a ZIP of images has no columns: leave label_column blank, or say none where the names"
            " of folders are no labels",
            "label_column",
        )
    labels = [label for name in names if (label := archives.folder_label(name)) is not None]
    if len(set(labels)) < 2 or len(labels) < LEAST_IN_FOLDERS * len(names):
        return Layout()
    said = f"The names of the folders, {min(labels)} to {max(labels)}, are taken for labels."
    return Layout(folders=True, assumptions=(said,))


def _check_rows(count: int, limits: Limits) -> None:
    if count > limits.rows:
        raise BulkError(f"The file holds too many rows: {limits.rows:,} are the limit.")


def _idx_header(file: BinaryIO, sizes: int) -> tuple[int, ...]:
    file.seek(4)
    data = file.read(4 * sizes)
    if len(data) < 4 * sizes:
        raise DatasetError("expected a whole header, received the end of the file")
    return struct.unpack(f">{sizes}I", data)


def _check_length(file: BinaryIO, header: int, expected: int) -> None:
    received = file.seek(0, 2) - header
    if received != expected:
        raise DatasetError(f"expected {expected:,} bytes after the header, received {received:,}")
