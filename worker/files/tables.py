"""CSV files of digits, read line by line: Kaggle's, and what other programs make of them.

A row is 784 pixels, with or without a label and an index; how they stand is decided by
worker.files.layouts and worker.files.columns when the file is planned.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from worker.arrays import Floats, Labels, Pixels
from worker.files import layouts, wrappings
from worker.files.columns import MOST_OTHERS, Sample, label_of, roles_of
from worker.files.datasets import UNREADABLE, Dataset, DatasetError
from worker.files.layouts import PIXELS, Layout, Wishes
from worker.files.wording import shown

MOST_BLANK = 10_000  # blank lines more than rows: a file of nothing else takes a while to read
LONGEST_LINE = 64 * 1024  # bytes; a row of pixels has some 3,000, and 20,000 as savetxt writes it
MOST_BEFORE = 10  # lines before the first that has as many values as a row
HEAD, PLACES, ROWS_A_PLACE = 200, 32, 4  # rows that are looked at: the first ones, and others
DELIMITERS = (",", ";", "\t", "|", " ")
MOST_KNOWN = 20_000  # values whose meaning is kept while rows are read
BLANK = b" \t\r\n\x0b\x0c,;|\"'"
_BOM = b"\xef\xbb\xbf"
_SEPARATOR = re.compile(rb'^\s*"?sep=(.)"?\s*$', re.IGNORECASE)
_EDGES = b"\"' \t"
Told = Callable[[Layout], object]


@dataclass(frozen=True)
class Row:
    """One row: its number from 1, its label if it has one, and its pixels, or its error.

    pixels: 784 bytes; 0 is paper, 255 is full ink.
    """

    number: int
    label: int | None = None
    pixels: bytes | None = None
    error: str = ""


def read_layout(file: BinaryIO, wishes: Wishes | None = None) -> Layout:
    """Look at the first rows of a CSV, and at some of the others.

    Raises:
        DatasetError: a row has no 784 pixels.
        Question: it cannot be decided how the rows are to be read.
    """
    wishes = wishes or Wishes()
    beginning = _beginning(file)
    sampled, head = _sampled(file, beginning)
    first, *others = [(line, _cells(line, beginning.delimiter)) for line in sampled or [b""]]
    columns = _columns([cells for _, cells in [first, *others]], first[1])
    names = _names(first[1], others, columns, beginning.delimiter)
    start = beginning.start
    if names:
        start = _after_header(file, beginning.after, first[0].strip())
        others = [one for one in others if one[0].strip() != first[0].strip()]
        head = max(0, head - 1)
    rows = others if names else [first, *others]
    columns = _without_trailing(columns, names, [cells for _, cells in rows])
    _check_columns(columns, first[1], named=bool(names))
    fitting = [cut for _, cells in rows if len(cut := _cut(cells, columns)) == columns]
    sample = Sample(names[:columns], fitting, _numbers(fitting, columns, beginning.delimiter), head)
    roles = roles_of(sample, wishes)
    layout = Layout(
        delimiter=beginning.delimiter,
        columns=columns,
        label_column=roles.label,
        left_out=tuple(roles.left_out),
        order=roles.order,
        has_header=bool(names),
        start=start,
    )
    values = sample.numbers[:, list(layout.pixel_columns)]
    look = layouts.look_of(values[np.isfinite(values).all(axis=1)], wishes)
    said = (*beginning.said, *map(_sentence, roles.said), *look.assumptions)
    return replace(layout, **vars(look) | {"assumptions": said})


@dataclass(frozen=True)
class _Beginning:
    """What is before the rows of a CSV: the offset of its first row or header, and of what follows.

    said: what was left out, in sentences.
    """

    delimiter: str
    start: int
    after: int
    said: tuple[str, ...]


def _beginning(file: BinaryIO) -> _Beginning:
    file.seek(0)
    offset = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
    forced, skipped, first = "", list[bytes](), b""
    for number in range(MOST_BEFORE):
        start, line = _next_line(file, offset, number + 1)
        first = first or line
        offset = start + len(line)
        if found := _SEPARATOR.match(line):
            forced = found[1].decode("latin-1")
            continue
        delimiter = _delimiter(line, forced)
        if delimiter and not _is_remark(line, delimiter):
            return _Beginning(delimiter, start, offset, tuple(map(_left_out, skipped)))
        if not line or _is_short_row(line):
            break
        skipped.append(line)
    received = len(first.strip().split(_most_frequent(first).encode()))
    raise DatasetError(
        "expected 784 pixels, or a label and 784 pixels, with commas between them, received"
        f" {received} {'value' if received == 1 else 'values'} in the first line"
    )


def _next_line(file: BinaryIO, offset: int, number: int) -> tuple[int, bytes]:
    """Return the next line that is not blank, and its offset; an empty one at the end."""
    file.seek(offset)
    for _ in range(MOST_BLANK):
        line = _line(file, number)
        if not line or line.strip(BLANK):
            return offset, line
        offset += len(line)
    return offset, b""


def _delimiter(line: bytes, forced: str) -> str:
    """Return what is between the values of a line of at least 784; empty if it has fewer.

    Decimal commas are as many as what stands between their numbers.
    """
    found = [one for one in (forced,) if forced] or DELIMITERS
    parts = {one: cells for one in found if len(cells := _cells(line, one)) >= PIXELS}
    if len(parts) > 1:
        for one, cells in parts.items():
            numbers = sum(not np.isnan(_number(cell, one)) for cell in cells)
            if numbers > len(cells) / 2:
                return one
    return next(iter(parts), "")


def _is_short_row(line: bytes) -> bool:
    """Return whether a line looks like a row, or a header, that has too few values."""
    return line.count(_most_frequent(line).encode()) > PIXELS // 2


def _is_remark(line: bytes, delimiter: str) -> bool:
    """Return whether a line is a remark that happens to be long, and no header or row."""
    return line.lstrip().startswith(b"#") and delimiter == " " and not _is_number(line.split()[1])


def _most_frequent(line: bytes) -> str:
    return max((one for one in DELIMITERS if one != " "), key=lambda one: line.count(one.encode()))


def _left_out(line: bytes) -> str:
    text = shown(line.strip().decode("utf-8", "replace"), 60)
    return f"A line before the rows is left out: “{text}”."


def _sampled(file: BinaryIO, beginning: _Beginning) -> tuple[list[bytes], int]:
    """Return some lines of a CSV, and how many of them are its first ones."""
    found: list[bytes] = []
    offset = beginning.start
    with contextlib.suppress(DatasetError):  # it is raised where all lines are read
        for place, line in lines(file, beginning.start):
            found.append(line)
            offset = place + len(line)
            if len(found) > HEAD:
                break
    head, size = len(found), file.seek(0, 2)
    if head > HEAD:
        for place in np.linspace(offset, size, PLACES, endpoint=False).astype(int)[1:].tolist():
            file.seek(place)
            file.readline(LONGEST_LINE)  # the rest of a line
            some = [file.readline(LONGEST_LINE) for _ in range(ROWS_A_PLACE)]
            found += [line for line in some if line.endswith(b"\n") and line.strip(BLANK)]
    return found, head


def _columns(rows: list[list[bytes]], first: list[bytes]) -> int:
    """Return how many values most rows have, those that have too few left out."""
    counts = Counter(len(cells) for cells in rows[1:] if len(cells) >= PIXELS)
    return counts.most_common(1)[0][0] if counts else len(first)


def _names(
    first: list[bytes], others: list[tuple[bytes, list[bytes]]], columns: int, delimiter: str
) -> list[str]:
    """Return the columns' names if the first line has them, else none."""
    if not _is_header(first, delimiter):
        return []
    names = [cell.strip(_EDGES).decode("utf-8", "replace") for cell in first]
    names[0] = names[0].removeprefix("#").strip()
    blank_end = bool(others) and all(not cells[-1].strip(_EDGES) for _, cells in others)
    if len(names) == columns - 1 and not blank_end:
        names.insert(0, "")  # R names no row names
    return names + [""] * (columns - len(names))


def _is_header(first: list[bytes], delimiter: str) -> bool:
    cells = [cell.strip(_EDGES) for cell in first]
    words = [cell for cell in cells if cell and np.isnan(_number(cell, delimiter))]
    if len(words) >= PIXELS // 2:
        return True
    numbers = [cell for cell in cells if _is_number(cell)]
    if len(numbers) >= PIXELS - 1 and all(cell.isdigit() for cell in numbers):
        begin = int(numbers[0][:9])
        return begin in (0, 1) and numbers == [
            b"%d" % n for n in range(begin, begin + len(numbers))
        ]
    return False


def _after_header(file: BinaryIO, start: int, header: bytes) -> int:
    """Return the offset after a header, also where it comes again at once, as in joined files."""
    with contextlib.suppress(DatasetError):  # it is raised where all lines are read
        for place, line in lines(file, start):
            if line.strip() != header:
                break
            start = place + len(line)
    return start


def _without_trailing(columns: int, names: list[str], rows: list[list[bytes]]) -> int:
    """Return the number of columns without those at the end that have no name and no values."""
    while columns > PIXELS and rows and not (names and names[columns - 1]):
        if any(len(cells) >= columns and cells[columns - 1].strip(_EDGES) for cells in rows):
            break
        columns -= 1
    return columns


def _check_columns(columns: int, first: list[bytes], *, named: bool) -> None:
    if columns < PIXELS or (columns > PIXELS + MOST_OTHERS and not named):
        raise DatasetError(
            "expected 784 pixels, or a label and 784 pixels, with commas between them, received"
            f" {len(first)} values in the first line"
        )
    if columns > PIXELS + LONGEST_LINE // 64:
        raise DatasetError(f"expected 784 pixels and a label, received {columns:,} columns")


def _cut(cells: list[bytes], columns: int) -> list[bytes]:
    """Return a row's cells without blank ones that are too many at the end."""
    while len(cells) > columns and not cells[-1].strip(_EDGES):
        cells.pop()
    return cells


def _numbers(rows: list[list[bytes]], columns: int, delimiter: str) -> Floats:
    known: dict[bytes, float] = {}
    found = np.full((len(rows), columns), np.nan)
    for place, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            value = known.get(cell)
            if value is None:
                value = known[cell] = _number(cell, delimiter)
            found[place, column] = value
    return found


def _number(cell: bytes, delimiter: str) -> float:
    """Return a cell's number, with a decimal comma where values have none between them; or NaN."""
    cell = cell.strip(_EDGES)
    if delimiter != "," and b"," in cell:
        cell = cell.replace(b",", b".")
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _cells(line: bytes, delimiter: str) -> list[bytes]:
    if delimiter == " ":
        return line.split()
    return line.strip(b" \r\n\x0b\x0c").split(delimiter.encode("latin-1"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def lines(file: BinaryIO, start: int, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield a CSV's lines between two offsets, each with its offset; blank lines are left out.

    A line of delimiters alone, as Excel writes them after the rows, is blank.

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
        if line.strip(BLANK):
            number += 1
            yield start, line
        else:
            blank += 1
            if end is None and blank > MOST_BLANK + number:
                raise DatasetError(f"expected rows, received {blank:,} blank lines")
        start += len(line)


class Parser:
    """Reads rows of one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._places = layout.pixel_columns
        first = self._places[0]
        run = self._places == tuple(range(first, first + PIXELS))
        self._run = slice(first, first + PIXELS) if run else None
        whole = range(int(layout.low), int(layout.high) + 1) if layout.high <= 255 else range(0)
        self._inks = {str(value).encode(): layouts.ink_of(value, layout) for value in whole}

    def parse(self, line: bytes) -> tuple[int | None, bytes]:
        """Return a row's label (None if it has none) and its 784 pixels.

        Raises:
            DatasetError: it has more or fewer values, or one of another kind.
        """
        layout = self.layout
        cells = _cut(_cells(line, layout.delimiter), layout.columns)
        if len(cells) != layout.columns:
            wanted = _wanted(layout)
            raise DatasetError(f"expected {wanted}, received {len(cells)} values")
        chosen = cells[self._run] if self._run else [cells[place] for place in self._places]
        try:
            pixels = bytes(map(self._inks.__getitem__, chosen))
        except KeyError:  # written otherwise, as " 7", "7.0" or '"7"', or wrong
            columns = zip(chosen, self._places, strict=True)
            pixels = bytes(self._ink(cell, place) for cell, place in columns)
        if layout.transpose:
            pixels = np.frombuffer(pixels, np.uint8).reshape(28, 28).T.tobytes()
        return self._label(cells), pixels

    def _label(self, cells: list[bytes]) -> int | None:
        if self.layout.label_column is None:
            return None
        try:
            return label_of(cells[self.layout.label_column])
        except ValueError as error:
            raise DatasetError(f"expected a label from 0 to 9, received {error}") from error

    def _ink(self, cell: bytes, place: int) -> int:
        ink = self._inks.get(cell)
        if ink is None:
            ink = layouts.ink_of(self._value(cell, place), self.layout)
            if len(self._inks) < MOST_KNOWN:
                self._inks[cell] = ink
        return ink

    def _value(self, cell: bytes, place: int) -> float:
        layout = self.layout
        value = _number(cell, layout.delimiter)
        slack = 0.0 if layout.whole else 1e-6 * (layout.high - layout.low)
        is_right = layout.low - slack <= value <= layout.high + slack  # not so of NaN
        if not is_right or (layout.whole and not value.is_integer()):
            text = cell.strip(_EDGES).decode("ascii", "replace")
            kind = "whole numbers" if layout.whole else "numbers"
            raise DatasetError(
                f"expected {kind} from {layout.low:g} to {layout.high:g}, received"
                f' "{shown(text, 40)}" in column {place + 1}'
            )
        return value


def _wanted(layout: Layout) -> str:
    wanted = "a label and 784 pixels" if layout.has_labels else "784 pixels"
    if others := layout.columns - PIXELS - layout.has_labels:
        wanted += f" and {others} other {'value' if others == 1 else 'values'}"
    return wanted


def rows(file: BinaryIO, layout: Layout, first: int = 1, end: int | None = None) -> Iterator[Row]:
    """Yield the rows from the offset of the layout on, numbered from `first`.

    A row that is wrong has an error, and does not affect the others.
    """
    parse = Parser(layout).parse
    for number, (_, line) in enumerate(lines(file, layout.start, end), first):
        try:
            yield Row(number, *parse(line))
        except DatasetError as error:
            yield Row(number, error=str(error))


def load_csv(path: Path, wishes: Wishes | None = None, on_layout: Told = bool) -> Dataset:
    """Load a labelled CSV, gzipped or zipped or not.

    Args:
        path: the file.
        wishes: what is known about its layout.
        on_layout: called with the layout when it is decided.

    Raises:
        DatasetError: with the number of the first row that is wrong, counted from 1; or a Question.
    """
    with open_table(path, wishes) as (file, layout):
        on_layout(layout)
        if not layout.has_labels:
            raise DatasetError(
                f"{path}: expected a label and 784 pixels, received {layout.columns} values"
            )
        found = [row for row in rows(file, layout) if row.error or row.label is not None]
    for row in found:
        if row.error:
            raise DatasetError(f"{path}: row {row.number}: {row.error}")
    pixels = b"".join(row.pixels or b"" for row in found)
    return Dataset(
        np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28),
        np.array([row.label for row in found], np.uint8),
    )


@contextmanager
def open_table(path: Path, wishes: Wishes | None = None) -> Iterator[tuple[BinaryIO, Layout]]:
    """Open a CSV to read its rows, unpacked where it is gzipped or zipped.

    Raises:
        DatasetError: it cannot be read, with its path; or a Question.
    """
    try:
        with wrappings.opened(path) as inside:
            yield inside.file, read_layout(inside.file, wishes)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read: {reason}") from error
    except wrappings.Refused as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    except layouts.Question as error:
        raise layouts.Question(f"{path}: {error}", error.option) from error
    except DatasetError as error:
        text = str(error)
        raise DatasetError(text if text.startswith(str(path)) else f"{path}: {text}") from error


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
