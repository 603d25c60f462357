"""Bounds on what an image file is made of, looked for in its bytes before any decoder sees them.

A small file may hold millions of chunks, segments or values of tags, each of which takes a decoder
some microseconds and memory. Cameras and programs write a few dozen.
"""

import re
import struct
from collections.abc import Iterator
from itertools import islice

from worker.images.errors import ImageError

MOST_PIECES = 20_000  # chunks of PNG or WebP, segments of JPEG, blocks of GIF before the image
MOST_SCANS = 40  # of a progressive JPEG; encoders make about ten, and each costs a whole decoding
MOST_ENTRIES = 1000  # tags of a TIFF or of EXIF metadata
MOST_DIRECTORIES = 1000  # of a TIFF that are looked at: one a page
SUBFILE, LONG, SMALLER, MASK = 254, 4, 1, 4  # a tag that tells what an image is, and its bits
MOST_VALUES = 200_000  # numbers in its tags: a strip or tile of a TIFF has two
MOST_IN_RUNS = 8_000_000  # pixels of a BMP in runs, whose decoder takes 0.16 s for a million
MOST_EXIF = 1024 * 1024  # bytes; in a JPEG, 64 KB are the most

BLOCK = re.compile(b"[!,;]")  # an extension, an image and the end of a GIF begin so
PNG, GIF, JPEG = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"\xff\xd8"
TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
IN_RUNS = (1, 2)  # how a BMP is packed: with 8 and 4 bits a pixel
EXIF = b"Exif\0\0"
OF_BYTES = (1, 2, 7)  # types of a TIFF whose values are kept as bytes: they count as no numbers
# A marker in the coded data of a JPEG: 00 follows a byte FF of the data, D0 to D7 are restarts.
NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))


def check(data: bytes) -> None:
    """Check that a file of any format is made of no more pieces than images are.

    What is cut off or damaged is left to the decoder.

    Raises:
        ImageError: it is made of more.

    Sources: W3C, "Portable Network Graphics (PNG) Specification"; ITU-T T.81, annex B; Adobe, "TIFF
    Revision 6.0"; CompuServe, "GIF89a Specification"; RFC 9649, "WebP Image Format"; Microsoft,
    "BITMAPINFOHEADER structure".
    """
    if data.startswith(PNG):
        _check_png(data)
    elif data.startswith(JPEG):
        _check_jpeg(data)
    elif data[:4] in TIFF:
        check_tiff(data)
    elif data.startswith(GIF):
        _check_gif(data)
    elif data[:4] == b"RIFF":
        _check_riff(data)
    elif data.startswith(b"BM"):
        _check_bmp(data)


def check_exif(exif: bytes) -> None:
    """Check the EXIF metadata of a file, as check does; they are a TIFF file."""
    if len(exif) > MOST_EXIF:
        _refuse()
    check_tiff(exif.removeprefix(EXIF))


def _refuse() -> None:
    raise ImageError("The file is made of too many pieces to be an ordinary image.")


def _check_png(data: bytes) -> None:
    place, pieces = len(PNG), 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        pieces += 1
        if pieces > MOST_PIECES or (kind == b"eXIf" and length > MOST_EXIF):
            _refuse()
        if kind == b"IEND":
            return
        place += 12 + length


def _check_jpeg(data: bytes) -> None:
    place, pieces, scans = 2, 0, 0
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place = next_marker(data, place)
            continue
        marker = data[place + 1]
        if marker == END_OF_IMAGE:
            return
        pieces += 1
        if pieces > MOST_PIECES:
            _refuse()
        if marker == 0xFF:  # fills the space before a marker
            place += 1
            continue
        place += 2
        if marker not in WITHOUT_LENGTH:
            place += int.from_bytes(data[place : place + 2], "big")
        if marker == START_OF_SCAN:
            scans += 1
            if scans > MOST_SCANS:
                _refuse()
            place = next_marker(data, place)


def next_marker(data: bytes, place: int) -> int:
    """Return where the next marker of a JPEG begins; the end of the data where there is none."""
    found = NEXT_MARKER.search(data, place)
    return found.start() if found else len(data)


def check_tiff(data: bytes) -> None:
    """Check the first directory of a TIFF file, as check does."""
    next(_directories(data), None)


def tiff_pages(data: bytes) -> list[int]:
    """Return the numbers, from 0, of the images in a TIFF file that are pages, not smaller copies
    or masks of one; of the first MOST_DIRECTORIES images.

    Raises:
        ImageError: as check, of any of them.
    """
    kinds = islice(_directories(data), MOST_DIRECTORIES)
    return [number for number, kind in enumerate(kinds) if not kind & (SMALLER | MASK)]


def _directories(data: bytes) -> Iterator[int]:
    """Check one directory of a TIFF file after the other; yield what kind of image each tells."""
    order = TIFF.get(data[:4])
    if order is None or len(data) < 16:
        return
    is_big = data[2:4] in (b"+\0", b"\0+")
    link = struct.Struct(f"{order}Q" if is_big else f"{order}I")
    (place,) = link.unpack_from(data, 8 if is_big else 4)
    head = struct.Struct(f"{order}Q" if is_big else f"{order}H")
    entry = struct.Struct(f"{order}HHQQ" if is_big else f"{order}HHII")
    seen = set[int]()
    while place and place not in seen and place + head.size <= len(data):
        seen.add(place)
        (count,) = head.unpack_from(data, place)
        end = place + head.size + count * entry.size
        if count > MOST_ENTRIES:
            _refuse()
        values = sub_kind = 0
        for start in range(place + head.size, min(end, len(data) - entry.size + 1), entry.size):
            tag, kind, length, value = entry.unpack_from(data, start)
            if kind not in OF_BYTES:
                values += length
            if tag == SUBFILE and kind == LONG:
                sub_kind = value
            if values > MOST_VALUES:
                _refuse()
        yield sub_kind
        if end + link.size > len(data):
            return
        (place,) = link.unpack_from(data, end)


def _check_gif(data: bytes) -> None:
    """Count the blocks before the first image; later ones are read of small files alone."""
    if len(data) < 13:
        return
    place = 13 + _colours(data[10])
    pieces = 0
    while place + 2 <= len(data) and data[place] == 0x21:  # an extension
        place += 2
        for end in _ends_of_blocks(data, place):
            place, pieces = end, pieces + 1
            if pieces > MOST_PIECES:
                _refuse()


def extent_of_gif(data: bytes, most: int) -> int:
    """Return the pixels of the least picture that holds so many frames of a GIF.

    Frames may be larger than the picture that the header names, and Pillow makes room for them.
    """
    if len(data) < 13:
        return 0
    width: int
    height: int
    width, height = struct.unpack_from("<HH", data, 6)
    place = 13 + _colours(data[10])
    # Pillow passes over what is no block.
    while most and (begin := BLOCK.search(data, place)) and begin[0] != b";":
        place = begin.start()
        if begin[0] == b"!":  # an extension
            place += 2
        else:
            if place + 10 > len(data):
                break
            x, y, wide, high, packed = struct.unpack_from("<HHHHB", data, place + 1)
            width, height = max(width, x + wide), max(height, y + high)
            place += 11 + _colours(packed)
            most -= 1
        for end in _ends_of_blocks(data, place):
            place = end
    return width * height


def _ends_of_blocks(data: bytes, place: int) -> Iterator[int]:
    """Yield the end of each block of data of a GIF from a place on; an empty one is the last."""
    while place < len(data):
        size = data[place]
        place += 1 + size
        yield place
        if not size:
            return


def _colours(packed: int) -> int:
    """Return the bytes of a table of colours, by the field that tells of it."""
    return 3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0


def _check_riff(data: bytes) -> None:
    place, pieces = 12, 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, place + 4)
        place += 8 + length + length % 2
        pieces += 1
        if pieces > MOST_PIECES:
            _refuse()


def _check_bmp(data: bytes) -> None:
    if len(data) < 34:
        return
    head, width, height, _, _, packing = struct.unpack_from("<IiiHHI", data, 14)
    if head >= 40 and packing in IN_RUNS and abs(width * height) > MOST_IN_RUNS:
        raise ImageError(
            f"The BMP is packed in runs of pixels, and {MOST_IN_RUNS / 1e6:.0f} megapixels are the"
            " limit of these."
        )
