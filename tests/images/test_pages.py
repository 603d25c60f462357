"""Files of several pages, and animations."""

import struct

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, on_paper
from worker.images.decoding import MAX_SIDE, MOST_PAGES, ImageError, decode
from worker.images.structure import tiff_pages


def tiff(pages: list[Image.Image], **options) -> bytes:
    return encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], **options)


def blank(width: int, height: int, level: int = 255) -> Image.Image:
    return Image.new("L", (width, height), level)


def test_the_pages_of_a_tiff_stand_one_below_the_other():
    picture = decode(tiff([blank(40, 30, 10), blank(60, 20, 90), blank(50, 25, 200)]))

    assert (picture.width, picture.height, picture.of_pages) == (60, 75, 3)
    assert picture.image.size == (60, 75)
    sizes = [page.image.size for page in picture.pages]
    assert sizes == [(40, 30), (60, 20), (50, 25)]
    assert [page.image.getpixel((3, 3))[0] for page in picture.pages] == [10, 90, 200]


def test_large_pages_are_reduced_alike():
    picture = decode(tiff([blank(3000, 2000), blank(300, 200)]))

    first, second = picture.pages
    assert max(first.image.size) <= MAX_SIDE
    assert first.image.width == pytest.approx(10 * second.image.width, rel=0.02)
    assert picture.image.width / picture.width == pytest.approx(
        picture.image.height / picture.height, rel=0.01
    )


def test_pages_over_the_limits_are_left_out_and_counted():
    many = decode(tiff([blank(8, 8)] * (MOST_PAGES + 3)))
    assert (len(many.pages), many.of_pages) == (MOST_PAGES, MOST_PAGES + 3)

    large = decode(tiff([blank(100, 100)] * 5), max_pixels=25_000)
    assert (len(large.pages), large.of_pages) == (2, 5)

    with pytest.raises(ImageError, match="too large"):
        decode(tiff([blank(100, 100)] * 5), max_pixels=9_000)


def test_a_damaged_page_ends_what_is_read():
    noise = np.random.default_rng(1).integers(0, 255, (3, 60, 60), np.uint8)
    data = tiff([Image.fromarray(page) for page in noise], compression="tiff_adobe_deflate")
    first = decode(encoded(Image.fromarray(noise[0]), "TIFF"))

    picture = decode(data[: len(data) * 3 // 5])

    assert picture.pages[0].image.tobytes() == first.image.tobytes()
    assert len(picture.pages) < 3


def test_smaller_copies_and_masks_are_no_pages():
    copy, mask = blank(20, 15), blank(40, 30)
    copy.encoderinfo, mask.encoderinfo = ({"tiffinfo": {254: kind}} for kind in (1, 4))
    data = tiff([blank(40, 30), copy, mask, blank(40, 30, 7)])

    assert tiff_pages(data) == [0, 3]
    assert decode(data).height == 60


def test_directories_that_lead_in_circles_end():
    data = bytearray(encoded(blank(8, 8), "TIFF"))
    (place,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, place)
    struct.pack_into("<I", data, place + 2 + 12 * count, place)

    assert tiff_pages(bytes(data)) == [0]
    assert decode(bytes(data)).of_pages == 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_of_an_animation_it_takes_the_first_frame_that_is_not_blank(mnist, kind):
    drawn = Image.fromarray(on_paper(mnist.images[0], 120)).convert("RGB")
    empty = Image.new("RGB", (120, 120), (230, 230, 230))
    other = Image.fromarray(255 - np.asarray(drawn))
    lossless = {"lossless": True} if kind == "WEBP" else {}

    for frames, number in (([empty, empty, drawn, other], 2), ([drawn, other], 0)):
        # Encoders join frames that are the same: one pixel differs, too little to be ink.
        for n, frame in enumerate(frames):
            frames[n] = frame.copy()
            frames[n].putpixel((0, 0), (230 + n, 230, 230))
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless)
        picture = decode(data)
        assert picture.frame == number
        assert np.abs(np.asarray(picture.image, int) - np.asarray(drawn, int)).mean() < 4

    data = encoded(empty, kind, save_all=True, append_images=[frames[0].point(lambda _: 228)])
    assert decode(data).frame == 0
