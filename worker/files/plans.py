"""Many images in one file: its kind, its limits, and its division into parts.

A file is planned once: its kind is detected from its content, and it is divided into parts. Each
part can be read by any process, in any order, and more than once: see worker.files.part_reading.
"""

import contextlib
import gzip
import struct
import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO

from worker.files import archives, tables
from worker.files.archives import ArchiveError
from worker.files.datasets import IMAGES_MAGIC, LABELS_MAGIC, UNREADABLE, DatasetError
from worker.files.tables import PIXELS

ROWS_A_PART = 256
IMAGES_A_PART, BYTES_A_PART = 64, 4 * 1024 * 1024
CSV, IDX, ZIP = "csv", "idx", "zip"
LABELS, GZIPPED = "labels", "gzip"  # other kinds of file
OF_PIXELS = (CSV, IDX)  # kinds whose rows are 28x28 pixels: they go through the network as they are
GZIP = b"\x1f\x8b"
_MIB = 1024 * 1024


class BulkError(ValueError):
    """A file cannot be read as a bulk; the message is for the person who sent it."""


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
    """The plan of a file: its kind, whether its rows are labelled, and its parts."""

    kind: str
    labelled: bool
    parts: list[Part]

    @property
    def total(self) -> int:
        return sum(part.rows for part in self.parts)


def kind_of(file: BinaryIO) -> str:
    """Return the kind of a file by its content: ZIP, IDX, LABELS, GZIPPED, or else CSV."""
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == GZIP:
        return GZIPPED
    if magic in (b"PK\x03\x04", b"PK\x05\x06"):
        return ZIP
    number = struct.unpack(">I", magic)[0] if len(magic) == 4 else 0
    return {IMAGES_MAGIC: IDX, LABELS_MAGIC: LABELS}.get(number, CSV)


def unpacked(file: BinaryIO, packed_bytes: int, limits: Limits) -> BinaryIO:
    """Unpack a gzipped file to a temporary one, which is deleted when it is closed.

    Raises:
        BulkError: it is damaged, or larger than a ZIP's content may be.
    """
    most = min(limits.archive.total_bytes, limits.archive.ratio * packed_bytes)
    with contextlib.ExitStack() as undone:
        target = undone.enter_context(tempfile.TemporaryFile())
        _unpack(file, target, most)
        undone.pop_all()  # the caller closes it
    target.seek(0)
    return target


def _unpack(file: BinaryIO, target: BinaryIO, most: int) -> None:
    try:
        with gzip.open(file) as source:
            while some := source.read(_MIB):
                target.write(some)
                if target.tell() > most:
                    raise BulkError(
                        f"The gzipped file is too large unpacked: {most / _MIB:,.1f} MB are the"
                        " limit."
                    )
    except UNREADABLE as error:
        raise BulkError("The gzipped file is cut off or damaged.") from error


def plan(file: BinaryIO, labels: BinaryIO | None, limits: Limits) -> Plan:
    """Check a file, and the labels of an IDX file, and divide it into parts.

    Raises:
        BulkError: the file is not a bulk, or exceeds a limit.
    """
    kind = kind_of(file)
    if labels is not None and kind != IDX:
        raise BulkError("A file of labels belongs to an IDX file of images only.")
    try:
        if kind == ZIP:
            return _plan_zip(file, limits)
        if kind == IDX:
            return _plan_idx(file, labels, limits)
        if kind == CSV:
            return _plan_csv(file, limits)
    except ArchiveError as error:
        raise BulkError(str(error)) from error
    except DatasetError as error:
        raise BulkError(f"The file cannot be read as {kind.upper()}: {error}.") from error
    raise BulkError("The file of labels came without its IDX file of images.")


def _plan_csv(file: BinaryIO, limits: Limits) -> Plan:
    layout = tables.read_layout(file)
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
    return Plan(CSV, layout.has_labels, parts)


def _plan_idx(file: BinaryIO, labels: BinaryIO | None, limits: Limits) -> Plan:
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
    return Plan(IDX, labels is not None, parts)


def _plan_zip(file: BinaryIO, limits: Limits) -> Plan:
    archive = archives.open_archive(file, limits.archive)
    size = file.seek(0, 2)
    parts, first, rows, filled = [], 1, 0, 0
    for entry in archives.check(archive, size, limits.archive):
        if rows and (rows == IMAGES_A_PART or filled + entry.file_size > BYTES_A_PART):
            parts.append(Part(first, rows))
            first, rows, filled = first + rows, 0, 0
        rows += 1
        filled += entry.file_size
    return Plan(ZIP, False, [*parts, Part(first, rows)])


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
