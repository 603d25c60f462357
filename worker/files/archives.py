"""ZIP archives of images from untrusted senders: checked as a whole before unpacking."""

import re
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from worker.files.wording import shown

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
END, END_SIZE, LONGEST_COMMENT = b"PK\x05\x06", 22, 65535
LOCATOR_64, LOCATOR_64_SIZE = b"PK\x06\x07", 20
END_64, END_64_SIZE = b"PK\x06\x06", 56
LONGEST_ENTRY = 1024  # bytes that the directory may have for each file, on average
# Files and folders that devices and programs add by themselves, besides those with a dot before.
LITTER = {
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle"),
    *("$recycle.bin", "system volume information", "@recycle", "lost+found"),
}
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
UTF_8 = 0x800  # the flag of an entry whose name is in UTF-8
_HIDDEN = re.compile(r"\.[^.]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_PAIRS = re.compile(rb"([A-Za-z]?)((?:[\x80-\xff][\x40-\xff]?)+)([A-Za-z]?)")
_MIB = 1024 * 1024


class ArchiveError(ValueError):
    """An archive is refused; the message is for the person who sent it."""


@dataclass(frozen=True)
class Limits:
    """The limits of an archive.

    files: how many.
    file_bytes, total_bytes: how much one of them, and all of them together, may be unpacked.
    ratio: how many times the archive's own size that may be, where it is more than ratio_from:
        white scans in BMP become 500 times smaller, and some of them are no bomb.
    ratio_from: in bytes.
    """

    files: int = 10_000
    file_bytes: int = 20 * _MIB
    total_bytes: int = 1024 * _MIB
    ratio: int = 100
    ratio_from: int = 100 * _MIB


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


def images(archive: zipfile.ZipFile, *, litter: bool = True) -> list[zipfile.ZipInfo]:
    """Return the files of an archive in its order, without folders and files that programs add.

    litter: False for a bulk job from before 0.3.0, whose parts count some of these files.
    """
    is_litter = _is_litter if litter else _is_litter_of_before
    return [
        one for one in archive.infolist() if not _is_folder(one) and not is_litter(one.filename)
    ]


def names(archive: zipfile.ZipFile) -> dict[zipfile.ZipInfo, str]:
    """Return the name of each file of an archive as people wrote it.

    Many programs write names in UTF-8, or in the code page of their country, without saying so.
    """
    entries = archive.infolist()
    unsaid = {one: _raw(one) for one in entries if not one.flag_bits & UTF_8}
    encoding = _encoding([name for name in unsaid.values() if not name.isascii()])
    found = {}
    for one in entries:
        raw = unsaid.get(one)
        found[one] = one.filename if raw is None else raw.decode(encoding, "replace")
    return found


def folder_label(name: str) -> int | None:
    """Return the digit that the folder of a file is named by; None of other folders."""
    _, *folder = name.replace("\\", "/").split("/")[::-1][:2]
    return int(folder[0]) if folder and folder[0] in set("0123456789") else None


def _raw(entry: zipfile.ZipInfo) -> bytes:
    try:
        return entry.filename.encode("cp437")
    except UnicodeEncodeError:
        return entry.filename.encode()


def _encoding(raw: list[bytes]) -> str:
    """Return the encoding of names that do not say theirs."""
    if all(_decodes(name, "utf-8") for name in raw):
        return "utf-8"
    whole = b"\n".join(raw)
    runs = _PAIRS.findall(whole)
    if max(map(len, _HIGH.findall(whole))) < 4 and any(
        before or after or _is_letter(run[1:2]) for before, run, after in runs
    ):
        return "cp437"  # letters of Western Europe stand alone, among those of English
    for encoding, is_common in (("cp932", _is_common_cp932), ("gbk", _is_common_gbk)):
        if all(_decodes(name, encoding) for name in raw) and _share(runs, is_common) > 0.5:
            return encoding
    return "cp866" if all(map(_is_cp866, b"".join(run for _, run, _ in runs))) else "cp437"


def _is_letter(byte: bytes) -> bool:
    return byte.isascii() and byte.isalpha()


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _share(runs: list[tuple[bytes, bytes, bytes]], is_common: Callable[[int], bool]) -> float:
    leads = [lead for _, run, _ in runs for lead in run[::2]]
    return sum(map(is_common, leads)) / len(leads)


def _is_common_cp932(lead: int) -> bool:
    return 0x82 <= lead <= 0x83 or 0x88 <= lead <= 0x97  # kana, and kanji of level 1


def _is_common_gbk(lead: int) -> bool:
    return 0xB0 <= lead <= 0xD7  # hanzi of level 1


def _is_cp866(byte: int) -> bool:
    return 0x80 <= byte <= 0xAF or 0xE0 <= byte <= 0xF1  # Cyrillic letters


def check(archive: zipfile.ZipFile, archive_bytes: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """Check the directory of an archive of images; of each file, only the beginning is unpacked.

    Raises:
        ArchiveError: as in check_directory; or all of its files are archives themselves.
    """
    files = check_directory(archive, archive_bytes, limits)
    # One beside images is a bad row, as any file that is no image: nothing in it is unpacked.
    if all(_is_archive(_peek(archive, entry)) for entry in files):
        named = shown(names(archive)[files[0]])
        raise ArchiveError(f"“{named}” is an archive itself; send images only.")
    return files


def check_directory(
    archive: zipfile.ZipFile, archive_bytes: int, limits: Limits
) -> list[zipfile.ZipInfo]:
    """Check the directory of an archive; nothing is unpacked.

    Raises:
        ArchiveError: the archive is empty or too large, or holds an entry that nobody needs: a
            path that leads out, a link, a password.
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
    if total > max(limits.ratio * archive_bytes, limits.ratio_from):
        raise ArchiveError(
            f"The ZIP looks like a bomb: unpacked it would be {total / archive_bytes:,.0f} times"
            f" its size, and {limits.ratio} times are the limit."
        )
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
    directory_bytes: int = struct.unpack_from("<I", tail, place + 12)[0]
    if tail[max(0, place - LOCATOR_64_SIZE) : place].startswith(LOCATOR_64):
        before = size - len(tail) + place - LOCATOR_64_SIZE - END_64_SIZE
        file.seek(max(0, before))
        record = file.read(END_64_SIZE)
        if before < 0 or not record.startswith(END_64):
            raise ArchiveError("The ZIP is cut off or damaged: its end is.")
        directory_bytes = struct.unpack_from("<Q", record, 40)[0]
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
    has_drive = path[1:2] == ":" and path[0].isascii() and path[0].isalpha()
    return path.startswith("/") or has_drive or ".." in path.split("/")


def _peek(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read a file's beginning; a damaged file raises its error later, when all of it is read."""
    try:
        with archive.open(entry) as file:
            return file.read(PEEK)
    except Exception:  # zipfile and zlib raise many kinds for a damaged file
        return b""


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    # ZipInfo.is_dir expects a name that is not empty. .NET wrote folders with a backslash.
    return entry.filename.endswith("/") or (entry.filename.endswith("\\") and not entry.file_size)


def _is_archive(start: bytes) -> bool:
    return any(start[at : at + len(magic)] == magic for at, magic in ARCHIVES)


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return any(part.lower() in LITTER or _HIDDEN.match(part) for part in parts)


def _is_litter_of_before(name: str) -> bool:
    last = name.rstrip("/").rsplit("/", 1)[-1]
    return (
        name.startswith("__MACOSX/")
        or last in ("Thumbs.db", "desktop.ini", ".DS_Store")
        or last.startswith("._")
    )
