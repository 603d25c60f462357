"""Colour images as the grey levels in which digits are looked for."""

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, on_paper
from worker.images.colours import grey_of
from worker.images.decoding import decode, to_grey
from worker.images.finding import find_digits

# Ground and pen, of about the same luminance.
PAIRS = [
    ((30, 90, 170), (190, 45, 40)),
    ((100, 170, 105), (235, 100, 160)),
    ((60, 88, 70), (175, 40, 45)),
    ((150, 110, 40), (60, 130, 200)),
]


def painted(digit: np.ndarray, ground, pen, noise: float = 0.0) -> Image.Image:
    share = (on_paper(digit, paper=0, ink=255) / 255)[..., None]
    page = np.array(ground) * (1 - share) + np.array(pen) * share
    page += np.random.default_rng(1).normal(0, noise, page.shape)
    return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(("ground", "pen"), PAIRS)
@pytest.mark.parametrize(("kind", "noise"), [("PNG", 0), ("JPEG", 2)])
def test_it_finds_what_differs_in_colour_alone(mnist, ground, pen, kind, noise):
    picture = decode(encoded(painted(mnist.images[0], ground, pen, noise), kind))
    (plain,) = find_digits(on_paper(mnist.images[0]))

    (found,) = find_digits(grey_of(picture))

    assert np.ptp(to_grey(picture.image)) < 60
    assert np.abs(np.subtract(found.box, plain.box)).max() <= 6
    assert np.abs(found.pixels.astype(int) - plain.pixels).mean() < 12


@pytest.mark.parametrize(
    ("ground", "pen"),
    [
        ((240, 235, 220), (30, 40, 120)),
        ((245, 245, 245), (200, 40, 40)),
        ((20, 60, 40), (230,) * 3),
    ],
)
def test_it_keeps_luminance_where_that_shows_the_strokes(mnist, ground, pen):
    picture = decode(encoded(painted(mnist.images[0], ground, pen, 3), "JPEG"))

    assert np.array_equal(grey_of(picture), to_grey(picture.image))


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_the_noise_of_a_blank_photo_is_no_colour(quality):
    noise = np.random.default_rng(1).normal((150, 120, 90), 5, (480, 640, 3))
    page = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    picture = decode(encoded(page, "JPEG", quality=quality))

    assert np.array_equal(grey_of(picture), to_grey(picture.image))
    assert find_digits(grey_of(picture)) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 700), (900, 2)])
def test_it_takes_images_of_any_shape(size):
    grey = grey_of(decode(encoded(Image.new("RGB", size, (200, 30, 30)), "PNG")))

    assert grey.shape == size[::-1]
