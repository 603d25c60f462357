"""Bytes of an image file to pixels."""

import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.pictures import encoded
from worker.images.decoding import MAX_SIDE, ImageError, decode, read_header, to_grey
from worker.images.formats import PILLOW_NAMES

GRADIENT = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1))
PICTURE = Image.fromarray(GRADIENT)


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


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "HEIF"])
def test_it_reports_that_a_file_is_cut_off(kind):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=r"cut off or damaged|not an image"):
        decode(data[: len(data) // 2])


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
