"""Random changes of a file, which keep enough of it that a reader comes far."""

import gzip
import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

LONGEST = (
    20 * 1024 * 1024
)  # bytes, as the default of MAX_UPLOAD_BYTES; what would be longer is cut off
MOST_CHANGES = 4
MAGIC_NUMBERS = (
    *(0, 1, 2, 7, 16, 28, 127, 128, 255, 256, 4096, 10_000, 32767, 32768, 65535, 65536),
    *(10**6, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
BREAKS = (b"\0", b"\n", b"\r\n", b"\r", b",", b'"', b"'", b'""', b"{", b"\\u0000", b"\x1b[2J")
NUMBERS = (b"nan", b"inf", b"-0", b"1e308", b"1e-400", b"0x10", b"1_0", b"-1", b"256", b"2.0")
NAMES = (b"=1+1", b"../", b"C:\\", b"null", b"Lambda")
DIGITS = "\N{ARABIC-INDIC DIGIT THREE}\N{MATHEMATICAL DOUBLE-STRUCK DIGIT ZERO}"
CHARACTERS = ("é", "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{BYTE ORDER MARK}", *DIGITS)
NOT_UTF8 = (b"\xed\xa0\x80", b"\xff\xfe")
LONG = (b"\n" * 500, b"," * 5000, b"9" * 5000, b"[" * 3000, b"x" * 70_000)
WORDS = (*BREAKS, *NUMBERS, *NAMES, *(one.encode() for one in CHARACTERS), *NOT_UTF8, *LONG)
Random = random.Random
Change = Callable[[bytes, Random], bytes]


def _flip_bits(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set_bytes(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.choice((0, 0xFF, 0x80, rng.randrange(256)))
    return bytes(changed)


def _truncate(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _remove(data: bytes, rng: Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[start:end] * rng.choice((2, 3, 10, 60)) + data[end:]


def _move(data: bytes, rng: Random) -> bytes:
    start, end = _span(data, rng)
    rest = data[:start] + data[end:]
    place = rng.randint(0, len(rest))
    return rest[:place] + data[start:end] + rest[place:]


def _insert(data: bytes, rng: Random) -> bytes:
    place, length = rng.randint(0, len(data)), rng.choice((1, 2, 4, 30, 1000))
    some = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    return data[:place] + some + data[place:]


def _set_number(data: bytes, rng: Random) -> bytes:
    """Put a number where a length may be, most often near the beginning or the end."""
    size = rng.choice((1, 2, 4, 8))
    if len(data) < size:
        return data
    last = len(data) - size
    near = min(last, 200)
    place = rng.choice((rng.randint(0, last), rng.randint(0, near), last - rng.randint(0, near)))
    value = rng.choice((*MAGIC_NUMBERS, len(data), len(data) - place, rng.randrange(2**16)))
    order = rng.choice(("big", "little"))
    number = (value % 256**size).to_bytes(size, order)  # type: ignore[arg-type]
    return data[:place] + number + data[place + size :]


def _write_number(data: bytes, rng: Random) -> bytes:
    """Replace a number that is written in digits."""
    found = [one.span() for one in NUMBER.finditer(data, 0, 200_000)]
    if not found:
        return _insert_word(data, rng)
    start, end = rng.choice(found)
    value = str(rng.choice((*MAGIC_NUMBERS, -1, 0.5, -(2**63)))).encode()
    return data[:start] + value + data[end:]


def _insert_word(data: bytes, rng: Random) -> bytes:
    place = rng.randint(0, len(data))
    return data[:place] + rng.choice(WORDS) + data[place:]


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    length = rng.choice((1, 2, 4, 12, 100, 1000, len(data) // 2))
    return start, min(len(data), start + max(1, length))


COMMON: tuple[Change, ...] = (
    *(_flip_bits, _set_bytes, _truncate, _remove, _repeat, _move, _insert),
    *(_set_number, _set_number, _set_number),
)
OF_TEXT: tuple[Change, ...] = (_write_number, _insert_word, _insert_word)


def _in_gzip(data: bytes, rng: Random) -> bytes:
    """Change what a gzipped file holds."""
    try:
        inside = zlib.decompressobj(31).decompress(data, LONGEST)
    except zlib.error:
        return data
    return gzip.compress(_changed(inside, rng, COMMON + OF_TEXT), 1, mtime=0)


def _in_pixels(data: bytes, rng: Random) -> bytes:
    """Change the pixels of a PNG before they are compressed."""
    start = data.find(b"IDAT")
    if start < 4:
        return data
    (length,) = struct.unpack_from(">I", data, start - 4)
    try:
        pixels = zlib.decompressobj().decompress(data[start + 4 : start + 4 + length], LONGEST)
    except zlib.error:
        return data
    packed = zlib.compress(_changed(pixels, rng, COMMON), 1)
    head, rest = data[: start - 4], data[start + 4 + length :]
    return head + struct.pack(">I", len(packed)) + b"IDAT" + packed + rest


def _tag(data: bytes, rng: Random) -> bytes:
    """Change one field of one tag of a TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return data
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    if place + 2 > len(data):
        return data
    (count,) = struct.unpack_from(f"{order}H", data, place)
    start = place + 2 + 12 * rng.randrange(count or 1)
    at, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
    if start + at + size > len(data):
        return data
    known = (*range(254, 285), 317, 320, 322, 323, 324, 325, 338, 339, 347, 530, 34665, 34675)
    small = (*range(14), *known, 32773, 34712, 50000, 50001)
    value = rng.choice(small if at < 4 or rng.random() < 0.5 else MAGIC_NUMBERS)
    number = (value % 256**size).to_bytes(size, "little" if order == "<" else "big")
    return data[: start + at] + number + data[start + at + size :]


def _in_zip(data: bytes, rng: Random) -> bytes:
    """Change a file of a ZIP, its name or how it is packed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [(one.orig_filename, archive.read(one)) for one in archive.infolist()]
    except Exception:  # it was damaged before
        return data
    if not files:
        return data
    number = rng.randrange(len(files))
    name, content = files[number]
    what = rng.randrange(6)
    if what == 0:
        place = rng.randint(0, len(name))
        name = name[:place] + rng.choice(WORDS)[:60_000].decode("latin-1") + name[place:]
    elif what == 1:
        content = data  # an archive in the archive
    else:
        content = _changed(content, rng, COMMON + OF_TEXT)
    files[number] = name, content
    if what == 5:
        files.append(files[rng.randrange(len(files))])
    return _packed(files, rng)


def _packed(files: list[tuple[str, bytes]], rng: Random) -> bytes:
    """Pack files into a ZIP, with the NULs in their names, at which zipfile ends a name."""
    file = io.BytesIO()
    stand_in = "\ue000"
    with zipfile.ZipFile(file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        names = set()
        for name, content in files:
            given = name.replace("\0", stand_in)[:20_000]
            if given not in names:
                names.add(given)
                made.writestr(zipfile.ZipInfo(given), content)
    return file.getvalue().replace(stand_in.encode(), b"\0\0\0")  # of the same length


def with_right_checksums(data: bytes) -> bytes:
    """Return a PNG or ZIP whose content was changed with checksums that fit it."""
    if data.startswith(b"\x89PNG"):
        return _with_chunk_checksums(data)
    if data.startswith(b"PK"):
        return _with_file_checksums(data)
    return data


def _with_chunk_checksums(data: bytes) -> bytes:
    changed, place = bytearray(data), 8
    for _ in range(1000):
        if place + 12 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4
    return bytes(changed)


def _with_file_checksums(data: bytes) -> bytes:
    """Set the checksums in a ZIP's directory, which are those that count."""
    changed = bytearray(data)
    for place in [one.start() for one in re.finditer(b"PK\x01\x02", data)][:100]:
        if place + 46 > len(data):
            break
        method, packed = struct.unpack_from("<H8xI", data, place + 10)
        (start,) = struct.unpack_from("<I", data, place + 42)
        if start + 30 > len(data):
            continue
        start += 30 + sum(struct.unpack_from("<HH", data, start + 26))
        content = data[start : start + packed]
        try:
            if method:
                content = zlib.decompressobj(-15).decompress(content, LONGEST)
        except zlib.error:
            continue
        struct.pack_into("<I", changed, place + 16, zlib.crc32(content))
    return bytes(changed)


OF_FORMAT: tuple[tuple[bytes, Change], ...] = (
    (b"\x1f\x8b", _in_gzip),
    (b"\x89PNG", _in_pixels),
    (b"II", _tag),
    (b"MM", _tag),
    (b"PK", _in_zip),
)


def _changed(data: bytes, rng: Random, changes: tuple[Change, ...]) -> bytes:
    return rng.choice(changes)(data, rng)[:LONGEST] if data else rng.randbytes(rng.randrange(40))


def mutated(data: bytes, other: bytes, rng: Random, *, is_text: bool = False) -> bytes:
    """Return a file that was changed in one to four places.

    other: a file of the same kind, of which it may get the end.
    is_text: whether what is written in it counts, as in a CSV.
    """
    changes = COMMON + OF_TEXT * (3 if is_text else 0)
    if rng.random() < 0.1:
        data = data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]
    for _ in range(rng.randint(1, MOST_CHANGES)):
        own = tuple(change for magic, change in OF_FORMAT if data.startswith(magic))
        data = _changed(data, rng, own if own and rng.random() < 0.4 else changes)
    return with_right_checksums(data) if rng.random() < 0.6 else data
