"""Reading a part of a bulk: rows of pixels by the network alone, images the whole way."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZipFile

import numpy as np

from worker.arrays import Probabilities
from worker.files import archives, layouts, tables
from worker.files.archives import ArchiveError
from worker.files.layouts import PIXELS, Layout
from worker.files.plans import CSV, ZIP, Limits, Part
from worker.images.decoding import MAX_PIXELS

if TYPE_CHECKING:
    from worker.reading.engine import Engine


# What is read between two looks at what cannot wait, on one core of 2026: about 3 ms of rows, 10 ms
# of files. With 128 rows, an upload waited four times as long beside a bulk job as alone; with 32,
# twice as long, and the job took 5 % more time.
ROWS_AT_ONCE = 32
FILES_AT_ONCE, BYTES_AT_ONCE = 16, 64 * 1024
File = tuple[int, str, bytes | Exception]  # its number, its name, its content or why there is none


@dataclass(frozen=True)
class Item:
    """The reading of one row or image.

    number: its place in the bulk, from 1.
    reading: its digits; empty if there are none, and for "not a digit".
    confidence: that of the least sure digit; None where nothing was found.
    probabilities: of 0 to 9, where it holds one thing; what they lack to 1 is "not a digit".
    truth: its label, if the bulk has labels.
    error: why it could not be read.
    cautions: codes of what was left out or may be wrong, as a Reading's, with spaces between them.
    """

    number: int
    name: str = ""
    reading: str = ""
    confidence: float | None = None
    probabilities: list[float] | None = None
    truth: str = ""
    error: str = ""
    cautions: str = ""


def read_part(
    engine: "Engine",
    kind: str,
    part: Part,
    file: BinaryIO,
    labels: BinaryIO | None = None,
    *,
    archive: ZipFile | None = None,
    labelled: bool = False,
    layout: Layout | None = None,
    limits: Limits | None = None,
    max_pixels: int = MAX_PIXELS,
    between: Callable[[], object] = bool,
) -> list[Item]:
    """Read one part of a planned file.

    Args:
        engine: what reads it.
        kind: of the file.
        part: which of its rows.
        file: the whole file.
        labels: of an IDX file, that of its labels.
        archive: the file, if it is a ZIP and open as one already.
        labelled: whether the rows of a CSV begin with a label, where there is no layout.
        layout: that of the file's plan; None: that of before layouts were planned.
        limits: of an archive.
        max_pixels: images with more pixels are refused.
        between: called every few milliseconds, for what cannot wait for the whole part.

    Returns:
        One item for each of its rows, in order; a row that cannot be read has an error, and does
        not affect the others.
    """
    layout = layout or layouts.before(labelled)
    if kind == ZIP:
        limits = limits or Limits()
        archive = archive or archives.open_archive(file, limits.archive)
        items: list[Item] = []
        for some in _at_once(_files(archive, part, limits.archive.file_bytes, layout)):
            items += read_files(engine, some, max_pixels)
            between()
        return [_with_truth(item) for item in items] if layout.folders else items
    if kind == CSV:
        return read_rows(engine, _csv_rows(file, part, layout), between)
    return read_rows(engine, idx_rows(file, labels, part, layout), between)


def _with_truth(item: Item) -> Item:
    """Return an item of a ZIP with the digit that its folder is named by."""
    label = archives.folder_label(item.name)
    return item if label is None else replace(item, truth=str(label))


def read_rows(
    engine: "Engine", rows: Iterable[tables.Row], between: Callable[[], object] = bool
) -> list[Item]:
    """Read rows of pixels by the network alone; between is called every few milliseconds."""
    items: list[Item] = []
    rows = iter(rows)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        items += _read_rows(engine, some)
        between()
    return items


def _read_rows(engine: "Engine", rows: list[tables.Row]) -> list[Item]:
    from worker.reading.reading import decide

    pixels = b"".join(row.pixels for row in rows if row.pixels)
    read = iter(engine.predict(np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)))
    items = []
    for row in rows:
        if row.error:
            items.append(Item(row.number, error=_sentence(row.error)))
            continue
        probabilities = next(read)
        value, confidence = decide(probabilities)
        items.append(
            Item(
                row.number,
                reading="" if value is None else str(value),
                confidence=round(confidence, 6),
                probabilities=_rounded(probabilities[:-1]),
                truth="" if row.label is None else str(row.label),
            )
        )
    return items


def read_files(engine: "Engine", files: Iterable[File], max_pixels: int = MAX_PIXELS) -> list[Item]:
    """Read image files the whole way."""
    from worker.reading.reading import read_images

    files = list(files)
    contents = [data for _, _, data in files if isinstance(data, bytes)]
    readings = iter(read_images(engine, contents, max_pixels))
    items = []
    for number, name, data in files:
        if not isinstance(data, bytes):
            items.append(Item(number, name, error=str(data)))
            continue
        reading = next(readings)
        one = reading.digits[0] if len(reading.digits) == 1 else None
        items.append(
            Item(
                number,
                name,
                reading.text,
                None if reading.confidence is None else round(reading.confidence, 6),
                _rounded(one.probabilities) if one else None,
                error=str(reading.error or ""),
                cautions=" ".join(reading.cautions),
            )
        )
    return items


def _csv_rows(file: BinaryIO, part: Part, layout: Layout) -> Iterator[tables.Row]:
    layout = replace(layout, start=part.offset)
    return tables.rows(file, layout, part.first, part.offset + part.size)


def idx_rows(
    file: BinaryIO, labels: BinaryIO | None, part: Part, layout: Layout
) -> Iterator[tables.Row]:
    """Yield rows of an IDX file of bytes, with their labels."""
    table = layouts.table_of(layout)
    file.seek(16 + (part.first - 1) * PIXELS)
    truths = None
    if labels is not None:
        labels.seek(8 + part.first - 1)
        truths = labels.read(part.rows)
    for place in range(part.rows):
        number, pixels = part.first + place, file.read(PIXELS)
        if table:
            pixels = pixels.translate(table)
        if layout.transpose:
            pixels = np.frombuffer(pixels, np.uint8).reshape(28, 28).T.tobytes()
        if truths and truths[place] > 9:
            error = f"expected a label from 0 to 9, received {truths[place]}"
            yield tables.Row(number, error=error)
        else:
            yield tables.Row(number, truths[place] if truths else None, pixels)


def _files(archive: ZipFile, part: Part, most_bytes: int, layout: Layout) -> Iterator[File]:
    entries = archives.images(archive, litter=layout.litter)
    names = archives.names(archive)
    for number, entry in enumerate(entries[part.first - 1 :][: part.rows], part.first):
        try:
            data = archives.read(archive, entry, most_bytes)
        except ArchiveError as error:
            yield number, names[entry], error
        else:
            yield number, names[entry], data


def _at_once(files: Iterable[File]) -> Iterator[list[File]]:
    """Yield as many files as are read in some milliseconds; a large one is alone, or the last."""
    some: list[File] = []
    size = 0
    for file in files:
        some.append(file)
        size += len(file[2]) if isinstance(file[2], bytes) else 0
        if len(some) == FILES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _rounded(probabilities: Probabilities) -> list[float]:
    return [round(float(share), 6) for share in probabilities]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
