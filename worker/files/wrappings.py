"""What stands around rows of pixels: gzip, a ZIP with one table, NumPy's files, other encodings.

All of it is brought to a CSV in UTF-8 or to an IDX file of bytes, in a temporary file, and never
becomes larger than the limits of an archive allow.
"""

import codecs
import contextlib
import gzip
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from worker.files import archives, layouts
from worker.files.archives import ArchiveError, Limits
from worker.files.columns import label_of
from worker.files.datasets import IMAGES_MAGIC, LABELS_MAGIC, UNREADABLE, DatasetError
from worker.files.layouts import PIXELS, Wishes
from worker.files.wording import shown

CSV, IDX, ZIP = "csv", "idx", "zip"
LABELS, GZIPPED, NPY, TYPED = "labels", "gzip", "npy", "idx of another type"
GZIP = b"\x1f\x8b"
MOST_LAYERS = 4  # as a gzipped CSV in a gzipped ZIP
WORKBOOK = "[Content_Types].xml"  # what all documents of Office hold
ROWS_AT_ONCE, ROWS_LOOKED_AT = 4096, 400
TABLES = (".csv", ".tsv", ".npy", ".npz", ".idx", ".gz", "ubyte")
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
UNLIMITED = Limits(total_bytes=1 << 40, ratio=1 << 20)  # of one's own files
UNREAD = (
    (0, b"%PDF", "PDF is not read yet: save its pages as images (PNG or JPEG) and send those"),
    (257, b"ustar", "A tar archive is not read: send its files as a ZIP, or one by one"),
    (0, b"7z\xbc\xaf\x27\x1c", "A 7z archive is not read: send a ZIP"),
    (0, b"Rar!", "A RAR archive is not read: send a ZIP"),
    (0, b"\xfd7zXZ", "A file packed by xz is not read: pack it by gzip, or send it as it is"),
    (0, b"BZh", "A file packed by bzip2 is not read: pack it by gzip, or send it as it is"),
    (0, b"\x28\xb5\x2f\xfd", "A file packed by zstd is not read: pack it by gzip"),
    (0, b"\x89HDF", "HDF5 is not read: save the images by numpy.savez, or as CSV"),
    (0, b"PAR1", "Parquet is not read: save the table as CSV"),
    (0, b"MATLAB 5.0", "A MATLAB file is not read: save the images by numpy.savez, or as CSV"),
    (0, b"\x80\x04\x95", "A pickle is not read, since that runs programs: use numpy.savez, or CSV"),
)
_MIB = 1024 * 1024
_START = 64 * 1024


class Refused(DatasetError):
    """A file is of a kind that is not read; the message is a sentence for its sender."""


@dataclass(frozen=True)
class Unwrapped:
    """What was in a file: a CSV, IDX or ZIP file, or anything else as it is.

    labels: those of an IDX file, if they were with it.
    ends: the lowest and the highest value that pixels had before they became bytes; None of others.
    said: what was assumed, in sentences.
    """

    file: BinaryIO
    labels: BinaryIO | None = None
    ends: tuple[float, float] | None = None
    said: tuple[str, ...] = ()


def kind_of(file: BinaryIO) -> str:
    """Return the kind of a file by its content: one of those above, or else CSV."""
    file.seek(0)
    magic = file.read(6)
    file.seek(0)
    if magic[:2] == GZIP:
        return GZIPPED
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return ZIP
    if magic == b"\x93NUMPY":
        return NPY
    number = struct.unpack(">I", magic[:4])[0] if len(magic) >= 4 else 0
    if number in (IMAGES_MAGIC, LABELS_MAGIC):
        return IDX if number == IMAGES_MAGIC else LABELS
    return TYPED if _idx_type(magic) else CSV


def unwrap(
    file: BinaryIO,
    size: int,
    limits: Limits,
    opened: ExitStack,
    wishes: Wishes | None = None,
) -> Unwrapped:
    """Unpack and convert a file until it is a CSV, an IDX file of bytes, or a ZIP of images.

    Args:
        file: the file.
        size: how many bytes it has.
        limits: of what is unpacked.
        opened: closes the temporary files.
        wishes: what the sender says about the values.

    Raises:
        Refused: it is damaged, too large, or of a kind that is not read.
        Question: it cannot be decided how its values are to be understood.
    """
    found = Unwrapped(file)
    for _ in range(MOST_LAYERS):
        step = _step_of(found.file)
        if step is None:
            return found
        inner = step(found.file, size, limits, opened, wishes or Wishes())
        labels = inner.labels or found.labels
        found = replace(inner, labels=labels, said=(*found.said, *inner.said))
        size = max(size, found.file.seek(0, os.SEEK_END))
        found.file.seek(0)
    if _step_of(found.file) is None:
        return found
    raise Refused(f"The file is packed more than {MOST_LAYERS} times.")


Step = Callable[[BinaryIO, int, Limits, ExitStack, Wishes], Unwrapped]


def _step_of(file: BinaryIO) -> Step | None:
    """Return what brings a file one step nearer to rows; None where nothing is to be done."""
    kind = kind_of(file)
    if kind == ZIP:
        return _unzipped if _members(file) else None
    if kind != CSV:
        return {GZIPPED: _gunzipped, NPY: _of_npy, TYPED: _of_idx}.get(kind)
    start = file.read(_START)
    file.seek(0)
    for at, magic, reason in UNREAD:
        if start[at : at + len(magic)] == magic:
            raise Refused(f"{reason}.")
    if _encoding(start):
        return _recoded
    return _with_line_feeds if b"\r" in start and b"\n" not in start and _is_text(start) else None


def _temporary(opened: ExitStack) -> BinaryIO:
    return opened.enter_context(tempfile.TemporaryFile())


def most_unpacked(size: int, limits: Limits) -> int:
    """Return how many bytes a packed file of a size may become."""
    return min(limits.total_bytes, max(limits.ratio * size, limits.ratio_from))


def _gunzipped(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    target = _temporary(opened)
    gunzip(file, target, most_unpacked(size, limits))
    return Unwrapped(target)


def gunzip(file: BinaryIO, target: BinaryIO, most: int) -> None:
    """Unpack a gzipped file.

    Raises:
        Refused: it is damaged, or becomes larger than it may.
    """
    try:
        with gzip.open(file) as source:
            limit = f"{most / _MIB:,.1f} MB are the limit"
            _copy(source, target, most, f"The gzipped file is too large unpacked: {limit}.")
    except UNREADABLE as error:
        raise Refused("The gzipped file is cut off or damaged.") from error


def _copy(source: IO[bytes] | gzip.GzipFile, target: BinaryIO, most: int, reason: str) -> None:
    """Copy a file to a temporary one, which is then read from its start.

    Raises:
        Refused: it has more bytes than it may; with this reason.
    """
    while some := source.read(_MIB):
        target.write(some)
        if target.tell() > most:
            raise Refused(reason)
    target.seek(0)


def _encoding(start: bytes) -> str:
    """Return the encoding of a text whose characters have two bytes each; empty of others."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = start[2:]
        zeros = text[1::2] if start[:1] == b"\xff" else text[::2]
        return "utf-16" if zeros[:100].count(0) > 0.9 * len(zeros[:100]) and zeros else ""
    for encoding, zeros, others in (
        ("utf-16-le", start[1:100:2], start[:100:2]),
        ("utf-16-be", start[:100:2], start[1:100:2]),
    ):
        if len(zeros) > 8 and not any(zeros) and _is_text(others):
            return encoding
    return ""


def _is_text(data: bytes) -> bool:
    return bool(data) and all(byte >= 32 or byte in b"\t\r\n" for byte in data[:4096])


def _recoded(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    target = _temporary(opened)
    decode = codecs.getincrementaldecoder(_encoding(file.read(_START)))("replace").decode
    file.seek(0)
    while some := file.read(_MIB):
        target.write(decode(some).encode())
    target.seek(0)
    return Unwrapped(target)


def _with_line_feeds(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    target = _temporary(opened)
    while some := file.read(_MIB):
        target.write(some.replace(b"\r", b"\n"))
    target.seek(0)
    return Unwrapped(target)


def _members(file: BinaryIO) -> list[ZipInfo]:
    """Return the tables in a ZIP; none if it holds images, or cannot be opened."""
    try:
        archive = archives.open_archive(file, Limits())
    except ArchiveError:
        return []  # whoever reads it as a ZIP of images says why
    files = archives.images(archive)
    if any(one.filename == WORKBOOK for one in files):
        raise Refused("A workbook of Excel or Word is not read: save the table as CSV.")
    tables = [one for one in files if one.filename.lower().endswith(TABLES)]
    if tables and len(tables) == sum(_may_be_beside(one.filename) for one in files):
        return tables
    return []


def _may_be_beside(name: str) -> bool:
    """Return whether a file counts beside tables: all but what explains them."""
    return not name.lower().endswith((".txt", ".md", ".names", ".html"))


def _unzipped(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    members = _members(file)
    try:
        archive = archives.open_archive(file, limits)
        archives.check_directory(archive, size, replace(limits, file_bytes=limits.total_bytes))
        if all(one.filename.lower().endswith(".npy") for one in members):
            return _of_npz(archive, members, limits, opened, wishes)
        targets = [_member(archive, one, limits, opened) for one in members[:2]]
    except ArchiveError as error:
        raise Refused(str(error)) from error
    if len(members) == 1:
        return Unwrapped(targets[0])
    if len(members) == 2:
        pair = [unwrap(one, size, limits, opened, wishes) for one in targets]
        kinds = [kind_of(one.file) for one in pair]
        if sorted(kinds) == [IDX, LABELS]:
            images, labels = pair if kinds[0] == IDX else pair[::-1]
            return replace(images, labels=labels.file)
    names = ", ".join(f"“{shown(one.filename, 40)}”" for one in members[:4])
    raise Refused(f"The ZIP holds {len(members)} tables ({names}): send one of them.")


def _member(archive: ZipFile, entry: ZipInfo, limits: Limits, opened: ExitStack) -> BinaryIO:
    """Unpack a file of an archive to a temporary one."""
    target = _temporary(opened)
    try:
        with archive.open(entry) as source:
            reason = f"“{shown(entry.filename)}” is too large unpacked."
            _copy(source, target, limits.total_bytes, reason)
    except Refused:
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for a damaged file
        raise Refused(f"“{shown(entry.filename)}” is damaged in the ZIP.") from error
    return target


def _of_npy(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    values = _array(_on_disk(file, opened), "The file")
    if _may_be_labels(values.shape):
        return Unwrapped(_labels_as_idx([values], opened))
    return _as_idx([("The file", values)], opened, wishes)


def _of_npz(
    archive: ZipFile, members: list[ZipInfo], limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    """Return the images of an NPZ, one array after the other, with their labels."""
    arrays = []
    for one in members:
        name = one.filename[: -len(".npy")]
        arrays.append((name, _array(_member(archive, one, limits, opened), f"“{shown(name, 40)}”")))
    images = [(name, values) for name, values in arrays if _rows_of(values.shape) is not None]
    if not images:
        shapes = ", ".join(f"“{shown(name, 40)}” {_times(one.shape)}" for name, one in arrays[:4])
        raise Refused(f"The NPZ holds no images of 28x28 pixels: {shapes}.")
    labels = [_labels_beside(name, values, arrays) for name, values in images]
    found = _as_idx(images, opened, wishes)
    names = [f"“{shown(name, 40)}” ({len(values):,})" for name, values in images]
    said = []
    if len(images) > 1:
        said.append(f"The images of {' and '.join(names)} are read one after the other.")
    if not any(one is None for one in labels):
        chosen = [one for one in labels if one is not None]
        said.append(f"The labels are {' and '.join(f'“{shown(name, 40)}”' for name, _ in chosen)}.")
        values = [one for _, one in chosen]
        return replace(found, labels=_labels_as_idx(values, opened), said=(*found.said, *said))
    return replace(found, said=(*found.said, *said))


def _labels_beside(
    name: str, images: np.ndarray[Any, Any], arrays: list[tuple[str, Any]]
) -> tuple[str, Any] | None:
    """Return the array that holds the labels of another one; None where none does.

    Raises:
        Refused: several may be.
    """
    fitting = [
        (other, values)
        for other, values in arrays
        if _may_be_labels(values.shape) and values.shape[0] == _rows_of(images.shape)
    ]
    if len(fitting) > 1:
        ending = name.rpartition("_")[2]
        fitting = [one for one in fitting if one[0].rpartition("_")[2] == ending] or fitting
    if len(fitting) > 1:
        names = " and ".join(f"“{shown(other, 40)}”" for other, _ in fitting)
        raise Refused(f"The NPZ holds several arrays that may be labels: {names}.")
    return fitting[0] if fitting else None


def _on_disk(file: BinaryIO, opened: ExitStack) -> BinaryIO:
    """Return a copy of a file that has a descriptor, so that it need not be in memory."""
    target = _temporary(opened)
    file.seek(0)
    shutil.copyfileobj(file, target, _MIB)
    target.seek(0)
    return target


def _array(file: BinaryIO, name: str) -> np.ndarray[Any, Any]:
    """Return the array of an NPY file on the disk, which stays there.

    Raises:
        Refused: it is damaged, or holds no plain numbers or texts.
    """
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read(file)
    except Exception as error:  # it is a text that NumPy evaluates
        raise Refused(f"{name} is no NPY file that can be read.") from error
    if dtype.kind not in "buifSU" or dtype.itemsize > 256:
        raise Refused(
            f"{name} holds {shown(str(dtype), 40)}, and not numbers; Python objects are not read,"
            " since that runs programs."
        )
    return _mapped(file, dtype, file.tell(), shape, is_fortran, name)


def _mapped(
    file: BinaryIO,
    dtype: np.dtype[Any],
    offset: int,
    shape: tuple[int, ...],
    is_fortran: bool,
    name: str,
) -> np.ndarray[Any, Any]:
    expected = dtype.itemsize
    for length in shape:
        expected *= length
    received = file.seek(0, os.SEEK_END) - offset
    if expected != received:
        raise Refused(
            f"{name} is cut off or damaged: expected {expected:,} bytes after the header, received"
            f" {received:,}."
        )
    if not expected:
        raise Refused(f"{name} holds no images.")
    order = "F" if is_fortran else "C"
    return np.memmap(file, dtype, "r", offset, shape, order)  # type: ignore[call-overload,no-any-return]


def _idx_type(magic: bytes) -> tuple[str, int, str] | None:
    """Return the type of a file's numbers, of how many dimensions, and the order of its bytes."""
    if len(magic) < 4:
        return None
    if magic[:2] == b"\0\0" and magic[2] in TYPES and 1 <= magic[3] <= 4:
        return TYPES[magic[2]], magic[3], ">"
    if magic[2:4] == b"\0\0" and magic[1] in TYPES and 1 <= magic[0] <= 4:
        return TYPES[magic[1]], magic[0], "<"
    return None


def _of_idx(
    file: BinaryIO, size: int, limits: Limits, opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    """Bring an IDX file of other numbers than bytes, or of other dimensions, to one of bytes."""
    known = _idx_type(file.read(4))
    if known is None:
        raise Refused("The IDX file is damaged.")
    kind, dimensions, order = known
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise Refused("The IDX file is cut off in its header.")
    shape = struct.unpack(f"{order}{dimensions}I", header)
    values = _mapped(
        _on_disk(file, opened),
        np.dtype(order + kind),
        4 + len(header),
        shape,
        False,
        "The IDX file",
    )
    if dimensions == 1:
        return Unwrapped(_labels_as_idx([values], opened))
    return _as_idx([("The IDX file", values)], opened, wishes)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _rows_of(shape: tuple[int, ...]) -> int | None:
    """Return how many images of 28x28 an array of a shape holds; None of other shapes."""
    if shape == (28, 28):
        return 1
    fits = shape[1:] in ((28, 28), (PIXELS,), (28, 28, 1), (1, 28, 28))
    return shape[0] if fits else None


def _may_be_labels(shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, 10))


def _as_idx(
    images: list[tuple[str, np.ndarray[Any, Any]]], opened: ExitStack, wishes: Wishes
) -> Unwrapped:
    """Write arrays of images as one IDX file of bytes."""
    flat = []
    for name, values in images:
        count = _rows_of(values.shape)
        if count is None or values.dtype.kind not in "buif":
            wanted = "images of 28x28 pixels in grey"
            raise Refused(f"{name}: expected {wanted}, received {_times(values.shape)}.")
        flat.append(values.reshape(count, PIXELS))
    target = _temporary(opened)
    target.write(struct.pack(">4I", IMAGES_MAGIC, sum(map(len, flat)), 28, 28))
    ends, said = None, list[str]()
    if any(values.dtype not in (np.uint8, np.bool_) for values in flat):
        ends = _ends(flat, wishes, said)
    for values in flat:
        for start in range(0, len(values), ROWS_AT_ONCE):
            some = values[start : start + ROWS_AT_ONCE]
            target.write(_bytes(some, ends, start) if ends else some.astype(np.uint8).tobytes())
    target.seek(0)
    return Unwrapped(target, ends=ends, said=tuple(said))


def _ends(flat: list[np.ndarray[Any, Any]], wishes: Wishes, said: list[str]) -> tuple[float, float]:
    some = []
    for values in flat:
        step = max(1, len(values) * len(flat) // ROWS_LOOKED_AT)
        some.append(np.array(values[::step][:ROWS_LOOKED_AT], float))
    looked = np.concatenate(some)
    low, high, _ = layouts.scale_of(looked[np.isfinite(looked).all(axis=1)], wishes, said)
    return low, high


def _bytes(some: np.ndarray[Any, Any], ends: tuple[float, float], start: int) -> bytes:
    """Return values as bytes from 0 to 255.

    Raises:
        Refused: one is outside of the scale; with the row, counted from 1.
    """
    low, high = ends
    values = np.asarray(some, float)
    slack = 1e-6 * (high - low)
    wrong = ~((values >= low - slack) & (values <= high + slack))  # also what is no number
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise Refused(
            f"Expected values from {low:g} to {high:g}, received {values[row, column]:g} in row"
            f" {start + row + 1}: say with the option scale what paper and full ink are."
        )
    share = np.clip((values - low) / (high - low), 0, 1)
    return (share * 255).round().astype(np.uint8).tobytes()


def _labels_as_idx(arrays: list[np.ndarray[Any, Any]], opened: ExitStack) -> BinaryIO:
    """Write labels as one IDX file: of whole numbers, of texts, or a column for each digit."""
    target = _temporary(opened)
    target.write(struct.pack(">2I", LABELS_MAGIC, sum(map(len, arrays))))
    for values in arrays:
        if values.ndim == 2 and values.shape[1] == 10 and values.dtype.kind in "buif":
            values = np.asarray(values).argmax(axis=1)
        for start in range(0, len(values), ROWS_AT_ONCE):
            target.write(bytes(map(_label, values[start : start + ROWS_AT_ONCE].ravel())))
    target.seek(0)
    return target


def _label(value: Any) -> int:
    text = value if isinstance(value, bytes) else str(value).encode("ascii", "replace")
    try:
        found = label_of(text)
    except ValueError as error:
        raise Refused(f"Expected labels from 0 to 9, received {error}.") from error
    if found is None:
        raise Refused("Expected labels from 0 to 9, received a blank one.")
    return found


@contextmanager
def opened(path: Path, wishes: Wishes | None = None) -> Iterator[Unwrapped]:
    """Open a local file, unpacked and converted."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))
        yield unwrap(file, path.stat().st_size, UNLIMITED, stack, wishes)
