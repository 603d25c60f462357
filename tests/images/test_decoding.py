"""Bytes of an image file to pixels."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.pictures import encoded
from tests.site import ROOT
from worker.images.decoding import (
    MAX_SIDE,
    PNG_DEPTHS,
    Header,
    ImageError,
    decode,
    read_header,
    to_grey,
)
from worker.images.formats import PILLOW_NAMES

GRADIENT = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1))
PICTURE = Image.fromarray(GRADIENT)
# Where a PNG's first chunk has what, and in how many bytes.
FIRST_CHUNK = {
    "width": (16, 4),
    "height": (20, 4),
    "depth": (24, 1),
    "colour": (25, 1),
    "filter": (27, 1),
    "interlace": (28, 1),
}


@pytest.mark.parametrize("kind", PILLOW_NAMES)
def test_it_decodes_each_format(kind):
    data = encoded(PICTURE.convert("RGB"), kind)
    assert (read_header(data).width, read_header(data).height) == (64, 48)
    grey = to_grey(decode(data).image)
    assert grey.shape == (48, 64)
    assert np.abs(grey.astype(int) - GRADIENT).mean() < 4


def test_it_goes_by_content_and_refuses_other_formats():
    pcx = encoded(PICTURE, "PCX")
    with pytest.raises(ImageError, match="not an image that can be read"):
        read_header(pcx)


def test_it_refuses_an_empty_file():
    with pytest.raises(ImageError, match="empty"):
        decode(b"")


def test_it_refuses_text():
    with pytest.raises(ImageError, match="not an image"):
        decode(b"hello" * 100)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "HEIF", "AVIF"])
def test_it_reports_that_a_file_is_cut_off(kind):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=r"cut off or damaged|not an image"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\xef\xbb\xbf"])
def test_it_says_what_to_do_with_a_pdf(before):
    with pytest.raises(ImageError, match=r"PDF is not read yet.*as PNG or JPEG"):
        decode(before + b"%PDF-1.7\n" + bytes(500))


def test_it_refuses_a_bomb_before_decoding_it():
    bomb = encoded(Image.new("1", (20000, 20000)), "PNG")
    with pytest.raises(ImageError, match="20000 x 20000 pixels are 400 megapixels, and 60"):
        decode(bomb)


@pytest.mark.parametrize(
    "chunk",
    [
        b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2,
        b"VP8L" + struct.pack("<I", 10) + b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little"),
        b"VP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383),
    ],
)
def test_it_refuses_a_webp_bomb_before_a_canvas_is_made(chunk):
    body = b"WEBP" + chunk + bytes(20)
    with pytest.raises(ImageError, match="16383 x 16383"):
        read_header(b"RIFF" + struct.pack("<I", len(body)) + body)


MEMORY = """
import io, sys
from PIL import Image
from worker.images.decoding import decode
def megabytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1024
file = io.BytesIO()
kind, mode, width, height = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
options = {"WEBP": {"lossless": True, "method": 0}, "AVIF": {"speed": 10}}.get(kind, {})
Image.new(mode, (width, height), 1).save(file, kind, **options)
before = megabytes("VmRSS")
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
picture = decode(file.getvalue())
assert (picture.width, picture.height) == (width, height)
print(megabytes("VmHWM") - before)
"""


@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [
        ("WEBP", "RGBA", (5000, 3750)),
        ("AVIF", "RGBA", (5000, 5000)),
        ("PNG", "RGBA", (8000, 7500)),
        ("PNG", "P", (8000, 7500)),
        ("GIF", "P", (8000, 7500)),
        ("TIFF", "F", (8000, 7500)),
        ("BMP", "RGB", (8000, 7500)),
    ],
)
def test_the_largest_images_take_some_300_mb(kind, mode, size):
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, kind, mode, *map(str, size)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )

    assert float(done.stdout) < 315


def test_fewer_pixels_are_the_limit_of_a_format_that_takes_more_memory():
    size = struct.pack("<I", 10) + b"\x2f" + (4999 | 4000 << 14).to_bytes(4, "little")
    body = b"WEBPVP8L" + size + bytes(20)
    with pytest.raises(ImageError, match="20 megapixels, and 19 are the limit for WebP"):
        read_header(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_it_accepts_real_webp_headers():
    for options in ({"lossless": True}, {"quality": 50}, {"quality": 50, "exif": b"Exif\0\0"}):
        header = read_header(encoded(PICTURE.convert("RGB"), "WEBP", **options))
        assert (header.format, header.width, header.height) == ("WEBP", 64, 48)


def test_it_turns_a_photo_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture = decode(encoded(PICTURE, "JPEG", exif=exif))
    assert picture.image.size == (picture.width, picture.height) == (48, 64)


def test_it_lays_dark_ink_on_white_and_light_ink_on_black():
    for ink, paper in ((0, 255), (255, 0)):
        drawing = Image.new("RGBA", (40, 40), (ink, ink, ink, 0))
        drawing.paste((ink, ink, ink, 255), (15, 5, 25, 35))
        grey = to_grey(decode(encoded(drawing, "PNG")).image)
        assert grey[0, 0] == paper
        assert grey[20, 20] == ink


def test_it_keeps_the_levels_of_16_bit_images():
    levels = (GRADIENT.astype(np.uint16) * 257).astype(np.uint16)
    grey = to_grey(decode(encoded(Image.fromarray(levels), "PNG")).image)
    assert np.abs(grey.astype(int) - GRADIENT).max() <= 1


def test_it_takes_the_first_frame():
    frames = [Image.new("L", (20, 20), level) for level in (200, 10)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert to_grey(decode(data).image).mean() == 200


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGB", "RGBA", "I;16"])
def test_it_reduces_large_images_of_any_mode_and_keeps_their_size(mode):
    picture = decode(encoded(Image.new(mode, (5000, 2500)), "PNG"))
    assert max(picture.image.size) <= MAX_SIDE
    assert (picture.width, picture.height) == (5000, 2500)


def test_it_reduces_a_large_photo_that_lies_on_its_side():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode(encoded(Image.new("L", (6000, 3000), 128), "JPEG", exif=exif))
    assert picture.image.width * 2 == picture.image.height <= MAX_SIDE
    assert (picture.width, picture.height) == (3000, 6000)


def test_heif_is_really_registered():
    assert pillow_heif.is_supported(encoded(PICTURE.convert("RGB"), "HEIF"))


def png_of(mode: str, size: tuple[int, int] = (37, 23), **options) -> bytes:
    return encoded(Image.new(mode, size), "PNG", **options)


def with_first_chunk(data: bytes = b"", right: bool = True, **changed: int) -> bytes:
    """A PNG with other values in its first chunk, whose checksum is right or wrong."""
    data = bytearray(data or png_of("L", (64, 48)))
    for name, value in changed.items():
        place, length = FIRST_CHUNK[name]
        data[place : place + length] = value.to_bytes(length, "big")
    if right:
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def by_pillow(data: bytes) -> Header:
    with Image.open(io.BytesIO(data)) as image:
        return Header(image.format, image.width, image.height)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_the_header_of_a_png_is_what_pillow_says(mode):
    data = png_of(mode)
    assert read_header(data) == by_pillow(data) == Header("PNG", 37, 23)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_header_of_a_png_with_few_colours_is_what_pillow_says(bits):
    data = png_of("P", bits=bits)
    assert read_header(data) == by_pillow(data)


@pytest.mark.parametrize(
    ("depth", "colour"),
    [(depth, colour) for colour, depths in PNG_DEPTHS.items() for depth in depths],
)
@pytest.mark.parametrize("interlace", [0, 1])
def test_the_header_of_a_png_of_any_kind_is_what_pillow_says(depth, colour, interlace):
    data = with_first_chunk(depth=depth, colour=colour, interlace=interlace, width=300)
    assert read_header(data) == by_pillow(data) == Header("PNG", 300, 48)


def test_an_interlaced_png_is_read():
    """Of one pixel, which is the same in both orders."""
    data = with_first_chunk(encoded(Image.new("L", (1, 1), 7), "PNG"), interlace=1)
    assert read_header(data) == by_pillow(data) == Header("PNG", 1, 1)
    assert to_grey(decode(data).image) == 7


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 5, 8, 16, 32, 255])
@pytest.mark.parametrize("colour", [*range(8), 255])
def test_a_png_is_refused_where_its_bits_do_not_fit_its_colours(depth, colour):
    data = with_first_chunk(depth=depth, colour=colour)
    if depth in PNG_DEPTHS.get(colour, ()):
        assert read_header(data) == by_pillow(data)
    else:
        with pytest.raises(ImageError, match="not an image"):
            read_header(data)


def test_a_png_with_a_wrong_checksum_is_refused():
    for changed in ({"width": 65}, {"depth": 16}, {"interlace": 1}):
        with pytest.raises(ImageError, match="not an image"):
            read_header(with_first_chunk(right=False, **changed))


def test_a_png_with_an_unknown_filter_is_refused():
    with pytest.raises(ImageError, match="not an image"):
        read_header(with_first_chunk(filter=1))


@pytest.mark.parametrize("changed", [{"width": 0}, {"height": 0}, {"width": 0, "height": 0}])
def test_a_png_without_pixels_is_refused(changed):
    with pytest.raises(ImageError, match=r"no pixels|not an image"):
        read_header(with_first_chunk(**changed))


def test_a_png_with_too_many_pixels_is_refused_by_its_first_chunk():
    with pytest.raises(ImageError, match="8000 x 7501 pixels are 60 megapixels, and 60 are"):
        read_header(with_first_chunk(width=8000, height=7501))
    assert read_header(with_first_chunk(width=8000, height=7500)).width == 8000
    with pytest.raises(ImageError, match="4294967295 x 4294967295"):
        read_header(with_first_chunk(width=2**32 - 1, height=2**32 - 1))
    with pytest.raises(ImageError, match="and 0 are the limit"):
        read_header(with_first_chunk(), max_pixels=64 * 48 - 1)


def test_a_png_that_is_cut_off_in_its_first_chunk_is_refused():
    data = png_of("L")
    for length in range(1, 33):
        with pytest.raises(ImageError, match="not an image"):
            read_header(data[:length])


def test_what_only_begins_as_a_png_is_refused():
    data = png_of("L")
    for start in (data[:8], data[:12] + b"IDAT", data[:11] + b"\x0eIHDR"):
        with pytest.raises(ImageError, match="not an image"):
            read_header(start + bytes(100))
