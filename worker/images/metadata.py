"""Metadata of image files: where and when a picture was taken, with what, and by whom.

They are taken out of a file without a change to its pixels. What decides how the pixels are shown
stays: orientation, colour profile, transparency.

Sources: JEITA CP-3451, "Exif"; ITU-T T.81, annex B; W3C, "Portable Network Graphics (PNG)
Specification", 11.3; RFC 9649, "WebP Image Format"; CompuServe, "GIF89a Specification"; Adobe,
"TIFF Revision 6.0"; ISO/IEC 14496-12 and 23008-12, "HEIF".
"""

import struct
import zlib
from collections.abc import Iterator

from worker.images import structure
from worker.images.structure import EXIF, GIF, JPEG, PNG, TIFF

# Kinds of PNG chunks that stay, beside all that a decoder must know (their first letter is large).
PNG_KEPT = frozenset(
    (b"tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs hIST sPLT cICP mDCV cLLI acTL fcTL fdAT").split()
)
WEBP_KEPT = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP")
WEBP_EXIF, WEBP_XMP = 0x08, 0x04  # flags of VP8X
GIF_KEPT = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often an animation repeats
APP0, APP1, APP2, APP14, APP15, COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
START_OF_SCAN, END_OF_IMAGE = structure.START_OF_SCAN, structure.END_OF_IMAGE

ORIENTATION = 274
# Tags of a TIFF that stay: its layout, its colours and its size. Of all others the values go.
TIFF_KEPT = frozenset(
    (
        *range(254, 260),
        *(262, 263, 264, 265, 266, 273, ORIENTATION),
        *range(277, 285),
        *(288, 289, 290, 291, 292, 293, 296, 297, 301),
        *range(317, 326),
        *(332, 334, 336, 338, 339, 340, 341, 342, 343, 347),
        *range(512, 522),
        *(529, 530, 531, 532, 34675),
    )
)
TIFF_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes of a value, by type
DIRECTORIES = (34665, 34853, 40965)  # tags that lead to others: EXIF, GPS, interoperability
MOST_DIRECTORIES = 64
EMPTY_EXIF = b"\0\0\0\0MM\0*\0\0\0\x08\0\0"  # of HEIF: without a tag


def removed(data: bytes) -> bytes:
    """Return an image file without its metadata; one without any, or of no known format, as it is.

    What a decoder reads is the same: a file that is cut off or damaged stays so.
    """
    try:
        if data.startswith(PNG):
            return _of_png(data)
        if data.startswith(JPEG):
            return _of_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _of_webp(data)
        if data.startswith(GIF):
            return _of_gif(data)
        if data[:4] in TIFF:
            return _of_tiff(data)
        if data[4:8] == b"ftyp":
            return _of_heif(data)
    except (struct.error, IndexError):  # cut off within a length
        pass
    return data


def _exif_with(orientation: int) -> bytes:
    """Return EXIF metadata, as a TIFF file, that tell an orientation and nothing else."""
    entry = struct.pack(">HHIHxx", ORIENTATION, 3, 1, orientation)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\0"


def _orientation(exif: bytes) -> int:
    """Return the orientation that EXIF metadata tell, 1 to 8; 1 is upright."""
    for entry in _entries(exif, _first_directory(exif)):
        if entry.tag == ORIENTATION and entry.kind == 3:
            (value,) = struct.unpack_from(f"{TIFF[exif[:4]]}H", exif, entry.place)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _of_png(data: bytes) -> bytes:
    kept, place, is_changed = [PNG], len(PNG), False
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind == b"eXIf" and (turned := _orientation(data[place + 8 : end - 4])) != 1:
            chunk = kind + _exif_with(turned)
            crc = struct.pack(">I", zlib.crc32(chunk))
            kept.append(struct.pack(">I", len(chunk) - 4) + chunk + crc)
            is_changed = True
        elif kind in PNG_KEPT or kind[:1].isupper() or end > len(data):
            kept.append(data[place:end])
        else:
            is_changed = True
        place = end
        if kind == b"IEND":
            is_changed = is_changed or place < len(data)
            return b"".join(kept) if is_changed else data
    return b"".join([*kept, data[place:]]) if is_changed else data


def _of_jpeg(data: bytes) -> bytes:
    kept, place, is_changed = [JPEG], 2, False
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in (0xFF, *structure.WITHOUT_LENGTH):
            kept.append(data[place : place + (1 if marker == 0xFF else 2)])
            place += len(kept[-1])
            continue
        if marker in (START_OF_SCAN, END_OF_IMAGE):
            break
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        content = data[place + 4 : end]
        if marker == APP1 and content.startswith(EXIF):
            turned = _orientation(content.removeprefix(EXIF))
            if turned != 1:
                exif = EXIF + _exif_with(turned)
                kept.append(struct.pack(">BBH", 0xFF, APP1, len(exif) + 2) + exif)
            is_changed = True
        elif _stays(marker, content):
            kept.append(data[place:end])
        else:
            is_changed = True
        place = end
    # Behind the image, cameras put more of them, and films, each with metadata of its own.
    end = _end_of_jpeg(data, place)
    if not is_changed and end == len(data):
        return data
    return b"".join([*kept, data[place:end]])


def _stays(marker: int, content: bytes) -> bool:
    """Return whether a segment of a JPEG is needed to show it."""
    if marker == APP2:
        return content.startswith(b"ICC_PROFILE\0")
    return marker in (APP0, APP14) or not (APP0 <= marker <= APP15 or marker == COMMENT)


def _end_of_jpeg(data: bytes, place: int) -> int:
    """Return where a JPEG ends whose first scan begins at a place."""
    while place + 2 <= len(data):
        marker = data[place + 1] if data[place] == 0xFF else 0
        if marker == END_OF_IMAGE:
            return place + 2
        if marker and marker not in (0xFF, *structure.WITHOUT_LENGTH):
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        else:
            place += 1
        place = structure.next_marker(data, place)
    return len(data)


def _of_webp(data: bytes) -> bytes:
    kept: list[bytes] = []
    place, exif = 12, b""
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        end = place + 8 + length + length % 2
        if kind in WEBP_KEPT:
            kept.append(data[place:end])
        elif kind == b"EXIF":
            exif = data[place + 8 : place + 8 + length].removeprefix(EXIF)
        place = end
    turned = _orientation(exif) if exif else 1
    if turned != 1:
        small = _exif_with(turned)
        kept.append(struct.pack("<4sI", b"EXIF", len(small)) + small)
    if kept and kept[0].startswith(b"VP8X"):
        flags = kept[0][8] & ~(WEBP_EXIF | WEBP_XMP) | (WEBP_EXIF if turned != 1 else 0)
        kept[0] = kept[0][:8] + bytes([flags]) + kept[0][9:]
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body if len(body) + 8 < len(data) else data


def _of_gif(data: bytes) -> bytes:
    """Take out comments and notes of programs before the first image, where encoders put them."""
    place = 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    kept, is_changed = [data[:place]], False
    while place + 2 <= len(data) and data[place] == 0x21:  # an extension
        start, label = place, data[place + 1]
        name = data[place + 3 : place + 14]
        place += 2
        while place < len(data) and data[place]:
            place += 1 + data[place]
        place += 1
        if label == 0xFE or (label == 0xFF and name not in GIF_KEPT):
            is_changed = True
        else:
            kept.append(data[start:place])
    return b"".join([*kept, data[place:]]) if is_changed else data


class _Entry:
    """A tag in a directory of a TIFF.

    start: where the entry is. place, size: where its values are, and how many bytes they take.
    """

    def __init__(self, data: bytes, order: str, is_big: bool, start: int) -> None:
        form, inline = (f"{order}HHQ", 8) if is_big else (f"{order}HHI", 4)
        self.tag, self.kind, count = struct.unpack_from(form, data, start)
        self.inline = start + struct.calcsize(form), inline
        self.size = count * (TIFF_SIZES[self.kind] if self.kind < len(TIFF_SIZES) else 0)
        self.place = self.inline[0]
        self.target = 0
        if self.size > inline or self.tag in DIRECTORIES:
            place = f"{order}Q" if is_big else f"{order}I"
            (self.target,) = struct.unpack_from(place, data, self.place)
            if self.size > inline:
                self.place = self.target


def _first_directory(data: bytes) -> int:
    order = TIFF.get(data[:4])
    if order is None:
        return 0
    is_big = b"+" in data[:4]
    (place,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", data, 8 if is_big else 4)
    return int(place)


def _entries(data: bytes, place: int) -> Iterator[_Entry]:
    """Yield the entries of a directory; none where there is no whole one."""
    order = TIFF.get(data[:4])
    if order is None or not place:
        return
    is_big = b"+" in data[:4]
    head, size = (f"{order}Q", 20) if is_big else (f"{order}H", 12)
    if place + struct.calcsize(head) > len(data):
        return
    (count,) = struct.unpack_from(head, data, place)
    start = place + struct.calcsize(head)
    for number in range(min(count, structure.MOST_ENTRIES)):
        if start + (number + 1) * size > len(data):
            return
        yield _Entry(data, order, is_big, start + number * size)


def _of_tiff(data: bytes) -> bytes:
    """Write zeros over the values of tags; what a file's offsets lead to stays where it is."""
    changed = bytearray(data)
    places, seen = [_first_directory(data)], set[int]()
    while places and len(seen) < MOST_DIRECTORIES:
        place = places.pop()
        if place in seen:
            continue
        seen.add(place)
        for entry in _entries(data, place):
            if entry.tag not in TIFF_KEPT:
                _blank_values(changed, data, entry)
        if after := _next_directory(data, place):
            places.append(after)
    return bytes(changed)


def _next_directory(data: bytes, place: int) -> int:
    order, is_big = TIFF[data[:4]], b"+" in data[:4]
    count = sum(1 for _ in _entries(data, place))
    start = place + (8 + 20 * count if is_big else 2 + 12 * count)
    form = f"{order}Q" if is_big else f"{order}I"
    if not count or start + struct.calcsize(form) > len(data):
        return 0
    return int(struct.unpack_from(form, data, start)[0])


def _blank_values(changed: bytearray, data: bytes, entry: _Entry) -> None:
    """Write zeros over the values of a tag, and over the directory that it leads to."""
    if entry.tag in DIRECTORIES:
        for inner in _entries(data, entry.target):
            if inner.tag in DIRECTORIES:
                for last in _entries(data, inner.target):
                    _blank(changed, last.place, last.size)
                    _blank(changed, *last.inline)
            _blank(changed, inner.place, inner.size)
            _blank(changed, *inner.inline)
        _blank(changed, *entry.inline)
    else:
        _blank(changed, entry.place, entry.size)


def _blank(changed: bytearray, place: int, size: int) -> None:
    end = min(place + size, len(changed))
    if 8 <= place < end:
        changed[place:end] = bytes(end - place)


def _of_heif(data: bytes) -> bytes:
    """Write empty metadata over those of a HEIF file; offsets stay as they are."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box[0] == b"meta"), None)
    if meta is None:
        return data
    inner = {kind: (start, end) for kind, start, end in _boxes(data, meta[1] + 4, meta[2])}
    if b"iinf" not in inner or b"iloc" not in inner:
        return data
    changed = bytearray(data)
    kinds = dict(_items(data, *inner[b"iinf"]))
    for item, extents in _locations(data, inner[b"iloc"][0]):
        kind = kinds.get(item)
        if kind in (b"Exif", b"mime"):
            for number, (place, size) in enumerate(extents):
                _blank(changed, place, size)
                if kind == b"Exif" and not number and size >= len(EMPTY_EXIF):
                    changed[place : place + len(EMPTY_EXIF)] = EMPTY_EXIF
    return bytes(changed) if changed != data else data


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, and where its content begins and ends."""
    pieces = 0
    while place + 8 <= end and pieces < structure.MOST_PIECES:
        size, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, place + 8), 16
        elif size == 0:
            size = end - place
        if size < head:
            return
        yield kind, place + head, min(place + size, end)
        place += size
        pieces += 1


def _items(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the kind of each item that `iinf` lists."""
    place = start + (6 if data[start] == 0 else 8)
    for kind, inner, _ in _boxes(data, place, end):
        if kind != b"infe":
            continue
        version = data[inner]
        if version == 2:
            item, what = struct.unpack_from(">H2x4s", data, inner + 4)
            yield item, what
        elif version == 3:
            item, what = struct.unpack_from(">I2x4s", data, inner + 4)
            yield item, what


def _locations(data: bytes, start: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield each item of `iloc` that lies in the file itself, with the places and sizes of it."""
    version = data[start]
    sizes, others = data[start + 4], data[start + 5]
    offset_size, length_size = sizes >> 4, sizes & 15
    base_size, index_size = others >> 4, others & 15 if version else 0
    place = start + 6

    def take(size: int) -> int:
        nonlocal place
        if place + size > len(data):
            raise IndexError
        value = int.from_bytes(data[place : place + size], "big")
        place += size
        return value

    for _ in range(min(take(4 if version == 2 else 2), structure.MOST_PIECES)):
        item = take(4 if version == 2 else 2)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        extents = []
        for _ in range(min(take(2), structure.MOST_ENTRIES)):
            take(index_size)
            offset = take(offset_size)
            extents.append((base + offset, take(length_size)))
        if method == 0:
            yield item, extents
