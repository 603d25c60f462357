"""ZIP archives of images from untrusted senders: checked as a whole before unpacking."""

import stat
import struct
import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from worker.files.wording import shown

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
END, END_SIZE, LONGEST_COMMENT = b"PK\x05\x06", 22, 65535
LOCATOR_64, LOCATOR_64_SIZE = b"PK\x06\x07", 20
LONGEST_ENTRY = 1024  # bytes that the directory may have for each file, on average
# Files that programs add by themselves.
LITTER = ("__MACOSX/", "Thumbs.db", "desktop.ini")
ARCHIVES = (
    (0, b"PK\x03\x04"),
    (0, b"PK\x05\x06"),
    (0, b"\x1f\x8b"),
    (0, b"BZh"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!"),
    (0, b"\xfd7zXZ"),
    (257, b"ustar"),
)
PEEK = 262
_MIB = 1024 * 1024


class ArchiveError(ValueError):
    """An archive is refused; the message is for the person who sent it."""


@dataclass(frozen=True)
class Limits:
    """The limits of an archive.

    files: how many.
    file_bytes, total_bytes: how much one of them, and all of them together, may be unpacked.
    ratio: how many times the archive's own size that may be.
    """

    files: int = 10_000
    file_bytes: int = 20 * _MIB
    total_bytes: int = 1024 * _MIB
    ratio: int = 100


def open_archive(file: BinaryIO, limits: Limits) -> zipfile.ZipFile:
    """Open a ZIP after checking that its directory is not too large to be read.

    Raises:
        ArchiveError: the file is not a ZIP, is damaged, or names more files than it may.
    """
    size = _directory_size(file)
    if size > limits.files * LONGEST_ENTRY:
        raise ArchiveError(f"The ZIP holds too many files: {limits.files:,} are the limit.")
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises many kinds for a damaged directory
        raise ArchiveError("The ZIP is cut off or damaged.") from error


def images(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive in its order, without folders and files that programs add."""
    return [
        one for one in archive.infolist() if not _is_folder(one) and not _is_litter(one.filename)
    ]


def check(archive: zipfile.ZipFile, archive_bytes: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """Check the directory of an archive; of each file, only the beginning is unpacked.

    Raises:
        ArchiveError: the archive is empty or too large, or holds an entry that images do not need:
            a path that leads out, a link, another archive, a password.
    """
    files = images(archive)
    if not files:
        raise ArchiveError("The ZIP holds no files.")
    if len(archive.infolist()) > limits.files:
        raise ArchiveError(
            f"The ZIP holds too many files: {len(archive.infolist()):,}, and"
            f" {limits.files:,} are the limit."
        )
    for entry in archive.infolist():
        _check_entry(entry, limits)
    total = sum(entry.file_size for entry in files)
    if total > limits.total_bytes:
        raise ArchiveError(
            f"The ZIP is too large unpacked: {total / _MIB:,.0f} MB, and"
            f" {limits.total_bytes / _MIB:,.0f} MB are the limit."
        )
    if total > limits.ratio * archive_bytes:
        raise ArchiveError(
            f"The ZIP looks like a bomb: unpacked it would be {total / archive_bytes:,.0f} times"
            f" its size, and {limits.ratio} times are the limit."
        )
    for entry in files:
        if _is_archive(_peek(archive, entry)):
            raise ArchiveError(f"“{shown(entry.filename)}” is an archive itself; send images only.")
    return files


def read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """Unpack one file, but never more than its limit, whatever size the directory states.

    Raises:
        ArchiveError: it is damaged or larger.
    """
    try:
        with archive.open(entry) as file:
            data = file.read(limit + 1)
    except Exception as error:  # zipfile and zlib raise many kinds for a damaged file
        raise ArchiveError("It is damaged in the ZIP and cannot be unpacked.") from error
    if len(data) > limit:
        raise ArchiveError(f"It is larger than {limit / _MIB:,.0f} MB, which is the limit.")
    return data


def _directory_size(file: BinaryIO) -> int:
    """Read how long the directory at a ZIP's end is, in bytes.

    Source: PKWARE, "APPNOTE.TXT, .ZIP File Format Specification", section 4.3.16.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - END_SIZE - LONGEST_COMMENT))
    tail = file.read()
    place = tail.rfind(END)
    if place < 0 or len(tail) - place < END_SIZE:
        raise ArchiveError("The ZIP is cut off or damaged: its directory is missing.")
    if tail[max(0, place - LOCATOR_64_SIZE) : place].startswith(LOCATOR_64):
        raise ArchiveError("The ZIP is in the format for more than 65,535 files or 4 GB.")
    directory_bytes: int = struct.unpack_from("<I", tail, place + 12)[0]
    file.seek(0)
    return directory_bytes


def _check_entry(entry: zipfile.ZipInfo, limits: Limits) -> None:
    name = entry.orig_filename
    named = f"“{shown(name)}”"
    if "\0" in name:
        raise ArchiveError(f"{named} is a name that holds a NUL.")
    if _climbs_out(name):
        raise ArchiveError(f"{named} is a path that leads out of the archive.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{named} is a link or no plain file; send images only.")
    if entry.flag_bits & 0x1:
        raise ArchiveError(f"{named} is protected by a password.")
    if entry.compress_type not in (STORED, DEFLATED):
        raise ArchiveError(f"{named} is packed in a way that is not read; only Deflate is.")
    if entry.file_size > limits.file_bytes:
        raise ArchiveError(
            f"{named} is too large: {entry.file_size / _MIB:,.0f} MB, and"
            f" {limits.file_bytes / _MIB:,.0f} MB are the limit."
        )


def _climbs_out(name: str) -> bool:
    path = name.replace("\\", "/")
    has_drive = len(path) > 1 and path[1] == ":"
    return path.startswith("/") or has_drive or ".." in path.split("/")


def _peek(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read a file's beginning; a damaged file raises its error later, when all of it is read."""
    try:
        with archive.open(entry) as file:
            return file.read(PEEK)
    except Exception:  # zipfile and zlib raise many kinds for a damaged file
        return b""


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith("/")  # ZipInfo.is_dir expects a name that is not empty


def _is_archive(start: bytes) -> bool:
    return any(start[at : at + len(magic)] == magic for at, magic in ARCHIVES)


def _is_litter(name: str) -> bool:
    last = name.rstrip("/").rsplit("/", 1)[-1]
    return (
        name.startswith(LITTER[0]) or last in LITTER or last.startswith("._") or last == ".DS_Store"
    )
