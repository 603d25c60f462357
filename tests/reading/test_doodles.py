"""Ink that is no digit, however it is read; digits, alone and touching, are none of it."""

import cv2
import numpy as np
import pytest

from benchmarks import scenes
from worker.images.finding import find_ink
from worker.images.shapes import Shape
from worker.reading.doodles import as_not_a_digit, is_doodle


def drawn(*strokes: list[tuple[int, int]], thick: int = 4) -> Shape:
    page = np.zeros((120, 120), np.uint8)
    for points in strokes:
        cv2.polylines(page, [np.array(points, np.int32)], False, 255, thick)
    x, y, width, height = cv2.boundingRect(page)
    return Shape(x, y, page[y : y + height, x : x + width])


def grid(lines: int) -> Shape:
    ends = [15 + 90 * n // (lines - 1) for n in range(lines)]
    return drawn(*([(x, 15), (x, 105)] for x in ends), *([(15, y), (105, y)] for y in ends))


def test_digits_are_no_doodles(mnist):
    for image in mnist.images[:500]:
        assert not is_doodle(Shape(0, 0, scenes.sized(image, 60)))


def test_digits_that_touch_are_no_doodles(mnist):
    rng = np.random.default_rng(5)
    for _ in range(40):
        page = scenes.string(mnist, rng, touching=1.0).image[..., 0]
        assert not any(is_doodle(shape) for line in find_ink(page).lines for shape in line)


def star(strokes: int, radius: int = 45) -> Shape:
    """Strokes of one length that cross in their middles."""
    angles = np.arange(strokes) * np.pi / strokes + 0.2
    ends = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return drawn(*([tuple(60 - end), tuple(60 + end)] for end in ends))


def pentagram(radius: int = 45) -> Shape:
    """A star of five points, in one go."""
    angles = np.arange(6) * 4 * np.pi / 5 + 0.1
    points = 60 + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return drawn([tuple(one) for one in points], thick=6)


def rings(count: int) -> Shape:
    """Rings that lie nearly on each other, so that the holes between them are small."""
    page = np.zeros((120, 120), np.uint8)
    for n in range(count):
        angle = 2 * np.pi * n / count
        centre = round(60 + 7 * np.cos(angle)), round(60 + 7 * np.sin(angle))
        cv2.circle(page, centre, 28, 255, 3)
    x, y, width, height = cv2.boundingRect(page)
    return Shape(x, y, page[y : y + height, x : x + width])


def test_a_cross_is_left_to_the_network():
    assert not is_doodle(star(2))


@pytest.mark.parametrize(
    "shape",
    [
        star(3),
        star(4),
        pentagram(),
        drawn([(55, 60), (65, 60)], thick=50),
        grid(4),
        rings(6),
        drawn([(10, 10), (110, 30), (10, 50), (110, 70), (10, 90), (110, 110)], thick=3),
    ],
    ids=["star of 3", "star of 4", "pentagram", "blot", "grid", "rings", "zigzag"],
)
def test_blots_and_scribbles_are(shape):
    assert is_doodle(shape)


def test_what_is_small_is_left_to_the_network():
    blot = Shape(0, 0, np.full((20, 20), 255, np.uint8))
    assert not is_doodle(blot)


def test_the_digit_that_it_is_most_like_stays_the_same():
    row = as_not_a_digit(np.array([0.1, *[0.0] * 7, 0.7, 0.0, 0.2], np.float32))
    assert row.sum() == pytest.approx(1)
    assert row[-1] == pytest.approx(0.98)
    assert row[:-1].argmax() == 8
