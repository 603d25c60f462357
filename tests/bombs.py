"""Small image files that cost a naive reader seconds or gigabytes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from worker.images.structure import MOST_SCANS


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*before_the_pixels: bytes) -> bytes:
    """A white PNG of 28x28 pixels with more chunks."""
    header = struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff" * 28) * 28)
    chunks = [
        chunk(b"IHDR", header),
        *before_the_pixels,
        chunk(b"IDAT", pixels),
        chunk(b"IEND"),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(*tags: tuple[int, int, int, int], rest: bytes = b"") -> bytes:
    """A TIFF of 28x28 grey pixels with more tags (tag, type, count, value); rest begins at 1024."""
    own = [
        (256, 3, 1, 28),  # width
        (257, 3, 1, 28),  # height
        (258, 3, 1, 8),  # bits
        (259, 3, 1, 1),  # not compressed
        (262, 3, 1, 1),  # 0 is black
        (273, 4, 1, 240),  # the pixels
        (277, 3, 1, 1),
        (278, 3, 1, 28),
        (279, 4, 1, 784),
    ]
    given = {tag[0] for tag in tags}
    entries = sorted([*tags, *(tag for tag in own if tag[0] not in given)])
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    return (head.ljust(240, b"\0") + b"\xff" * 784).ljust(1024, b"\0") + rest


def progressive(scans: int) -> bytes:
    """A progressive JPEG of 28x28 pixels whose last scan comes again and again."""
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def jpeg(segments: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(file, "JPEG")
    data = file.getvalue()
    return data[:2] + b"\xff\xe5\0\x02" * segments + data[2:]


def gif(blocks: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(file, "GIF")
    data = file.getvalue()
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:start] + b"\x21\xfe" + b"\x01a" * blocks + b"\0" + data[start:]


def gif_start(extensions: int) -> bytes:
    data = gif(0)
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:start] + b"\x21\xfe\0" * extensions + data[start:]


def webp(chunks: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(file, "WEBP")
    body = file.getvalue()[12:] + (b"JUNK" + bytes(4)) * chunks
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def bmp(width: int) -> bytes:
    """A BMP of 28 rows, packed in runs; each row is five pixels, and the rest is left out."""
    runs = b"\x05\x07\0\0" * 28 + b"\0\1"
    start = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, width, 28, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return head + bytes(range(256)) * 4 + runs


def exif(values: int) -> bytes:
    """EXIF metadata that turn the image, and hold a tag of so many numbers."""
    head = struct.pack("<2sHIH", b"II", 42, 8, 2)
    entries = struct.pack("<HHIHH", 274, 3, 1, 6, 0) + struct.pack("<HHII", 50000, 3, values, 38)
    return head + entries + bytes(4) + bytes(2 * values)


# By name: the file; each is refused with the same words.
STRUCTURES = {
    "png-chunks": lambda: png(chunk(b"juNK") * 1_600_000),
    "png-exif": lambda: png(chunk(b"eXIf", exif(500_000))),
    "png-exif-large": lambda: png(chunk(b"eXIf", exif(8_000_000))),
    "jpeg-segments": lambda: jpeg(5_000_000),
    "jpeg-scans": lambda: progressive(50_000),
    "tiff-values": lambda: tiff((50000, 3, 2_500_000, 1024), rest=bytes(5_000_000)),
    "tiff-strips": lambda: tiff(
        (273, 4, 4_000_000, 1024), (279, 4, 4_000_000, 1024), rest=bytes(16_000_000)
    ),
    "gif-blocks": lambda: gif(8_000_000),
    "jpeg-filled": lambda: jpeg(0)[:2] + b"\xff" * 19_000_000 + jpeg(0)[2:],
    "tiff-values-behind-bytes": lambda: tiff(
        (40000, 7, 2**31, 1024), (50000, 3, 2_500_000, 1024), rest=bytes(5_000_000)
    ),
    "gif-extensions": lambda: gif_start(6_000_000),
    "webp-chunks": lambda: webp(2_000_000),
}
# Files as they are found, with as much as is allowed.
ORDINARY = {
    "png": lambda: png(chunk(b"juNK") * 1000, chunk(b"eXIf", exif(10))),
    "jpeg": lambda: jpeg(1000),
    "jpeg-progressive": lambda: progressive(MOST_SCANS // 2),
    "tiff": lambda: tiff((50000, 3, 10_000, 1024), rest=bytes(20_000)),
    "gif": lambda: gif(1000),
    "webp": lambda: webp(1000),
}
