"""From a grey image to digits as the model sees them."""

import cv2
import numpy as np
import pytest

from tests.pictures import on_paper
from worker.images.errors import ImageError
from worker.images.finding import extract_ink, find_digits, normalize


def difference(pixels: np.ndarray, original: np.ndarray) -> float:
    """The mean difference of two digits, at the best shift of at most one pixel."""
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    moved = (np.roll(original.astype(int), shift, (0, 1)) for shift in shifts)
    return min(np.abs(pixels.astype(int) - shape).mean() for shape in moved)


def test_it_leaves_a_digit_of_mnist_as_it_is(mnist):
    changed = [
        np.abs(find_digits(image)[0].pixels.astype(int) - image).mean()
        for image in mnist.images[:300]
    ]
    assert np.percentile(changed, 99) < 1


def test_it_centres_the_mass_as_mnist_does(mnist):
    rows, columns = np.indices((28, 28))
    for image in mnist.images[:50]:
        pixels = normalize(image).astype(float)
        centre = (pixels * rows).sum() / pixels.sum(), (pixels * columns).sum() / pixels.sum()
        assert np.abs(np.array(centre) - 14).max() <= 0.51


@pytest.mark.parametrize(("paper", "ink"), [(230, 40), (20, 220), (140, 90), (255, 0)])
def test_it_finds_a_digit_of_either_polarity(mnist, paper, ink):
    (glyph,) = find_digits(on_paper(mnist.images[0], 400, paper, ink))
    x, y, *_ = glyph.box
    assert 100 < x < 200
    assert 100 < y < 200
    assert difference(glyph.pixels, mnist.images[0]) < 8


def test_it_finds_a_digit_under_uneven_light(mnist):
    page = on_paper(mnist.images[0]).astype(float)
    light = np.linspace(0.4, 1, 400)[None, :] * np.linspace(0.8, 1, 400)[:, None]
    noise = np.random.default_rng(1).normal(0, 3, page.shape)
    (glyph,) = find_digits(np.clip(page * light + noise, 0, 255).astype(np.uint8))
    assert difference(glyph.pixels, mnist.images[0]) < 8


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (200, 300)])
def test_it_finds_nothing_on_blank_paper(level, shape):
    assert find_digits(np.full(shape, level, np.uint8)) == []


def test_it_finds_a_broad_stroke_that_fills_a_tight_crop(mnist):
    """The paper is found although two pixels of five are ink."""
    pixels = mnist.images[61]  # an 8
    large = cv2.resize(255 - pixels[4:24, 4:24] // 2, (80, 80)).astype(float)
    large -= np.linspace(0, 40, 80)[None, :]
    large += np.random.default_rng(1).normal(0, 2, large.shape)
    thick = cv2.erode(np.clip(large, 0, 255).astype(np.uint8), np.ones((3, 3), np.uint8))
    (glyph,) = find_digits(thick)
    assert glyph.box[2] > 50
    assert glyph.box[3] > 60


def test_the_shadow_at_the_rim_is_not_a_digit(mnist):
    page = on_paper(mnist.images[0])
    (clean,) = find_digits(page)
    page[:12, 100:] = 60
    page[150:, 390:] = 90
    (shaded,) = find_digits(page)
    assert np.abs(np.subtract(clean.box, shaded.box)).max() <= 2


def test_it_finds_nothing_in_a_noisy_blank_photo():
    noise = np.random.default_rng(1).normal(180, 6, (480, 640))
    shade = np.linspace(0.6, 1, 640)[None, :]
    assert find_digits(np.clip(noise * shade, 0, 255).astype(np.uint8)) == []


def test_it_leaves_specks_out(mnist):
    page = on_paper(mnist.images[0])
    (clean,) = find_digits(page)
    page[20:23, 20:23] = 40
    (specked,) = find_digits(page)
    assert specked.box == clean.box


def test_boxes_lie_inside_the_image(mnist):
    for side in (28, 40, 333, 1999):
        page = on_paper(mnist.images[4], side)
        (glyph,) = find_digits(page)
        x, y, width, height = glyph.box
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= side
        assert min(width, height) >= 1


def test_ink_is_0_on_paper_and_255_in_the_stroke(mnist):
    ink = extract_ink(on_paper(mnist.images[0]))
    assert ink[:50].max() == 0
    assert ink.max() == 255


def test_normalize_keeps_the_aspect():
    ink = np.full((200, 50), 255, np.uint8)
    pixels = normalize(ink)
    rows, columns = np.nonzero(pixels)
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 == 5


def test_normalize_keeps_a_hair_thin_stroke():
    ink = np.zeros((600, 600), np.uint8)
    ink[:, 300] = ink[300, :] = 255
    assert normalize(ink).max() > 200


def test_normalize_scales_a_single_pixel_to_the_whole_box():
    assert (normalize(np.full((1, 1), 9, np.uint8)) > 0).sum() == 400


def test_normalize_refuses_an_image_without_ink():
    with pytest.raises(ImageError, match="no ink"):
        normalize(np.zeros((30, 30), np.uint8))
