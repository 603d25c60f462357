"""One small number alone on a scan of a whole page."""

import cv2
import numpy as np
import pytest

from tests.images.test_finding import difference
from worker.images.finding import find_digits

A4 = (1754, 1240)  # at 150 dots an inch; a millimetre is 5.9 pixels
MILLIMETRE = A4[0] / 297


def scan(ink: np.ndarray, noise: float = 3.0) -> np.ndarray:
    """A scan of a sheet with this ink, from 0 to 1."""
    page = 240 - 190 * ink + np.random.default_rng(1).normal(0, noise, ink.shape)
    return np.clip(page, 0, 255).astype(np.uint8)


def written(mnist, tall: float, x: int, y: int, size=A4) -> tuple[np.ndarray, list[np.ndarray]]:
    """Ink of three digits, so many pixels high, with their upper left corner here."""
    ink, digits = np.zeros(size, np.float32), list(mnist.images[:3])
    side = round(tall * 28 / 20)
    for number, digit in enumerate(digits):
        part = cv2.resize(digit, (side, side), interpolation=cv2.INTER_AREA) / np.float32(255)
        ink[y : y + side, x + number * side : x + (number + 1) * side] = part
    return ink, digits


@pytest.mark.parametrize("millimetres", [4, 5, 6])
@pytest.mark.parametrize(("scale", "x", "y"), [(1, 150, 100), (1, 900, 1600), (2, 1000, 1500)])
def test_it_finds_a_small_number_alone_on_a_large_page(mnist, millimetres, scale, x, y):
    tall = millimetres * MILLIMETRE * scale
    ink, digits = written(mnist, tall, x, y, (A4[0] * scale, A4[1] * scale))

    found = find_digits(scan(ink))

    assert len(found) == 3
    for number, (glyph, digit) in enumerate(zip(found, digits, strict=True)):
        left, top, width, height = cv2.boundingRect(digit)
        there = np.array((left, top, width, height)) * tall / 20
        there[:2] += x + number * round(tall * 28 / 20), y
        assert np.abs(glyph.box - there).max() <= 3 * scale
        assert difference(glyph.pixels, digit) < 10


@pytest.mark.parametrize("noise", [0, 3, 8])
def test_an_empty_page_with_dust_stays_empty(noise):
    rng = np.random.default_rng(1)
    ink = np.zeros(A4, np.float32)
    for x, y in rng.integers(0, A4[::-1], (30, 2)).tolist():
        cv2.circle(ink, (x, y), int(rng.integers(1, 3)), float(rng.uniform(0.3, 1)), -1)

    assert find_digits(scan(ink, noise)) == []


@pytest.mark.parametrize("angle", [0, 20, 90, 135])
def test_a_staple_is_no_digit(angle):
    ink = np.zeros(A4, np.float32)
    way = np.array((np.cos(np.radians(angle)), np.sin(np.radians(angle)))) * 5 * MILLIMETRE
    ends = [
        tuple(np.rint(np.array((110, 110)) + side * way).astype(int).tolist()) for side in (-1, 1)
    ]
    cv2.line(ink, ends[0], ends[1], 0.8, 3, cv2.LINE_AA)

    assert find_digits(scan(ink)) == []


@pytest.mark.parametrize("thick", [-1, 2])
def test_punch_holes_are_no_digits(mnist, thick):
    holes = np.zeros(A4, np.float32)
    for y in (877 - 236, 877 + 236):
        cv2.circle(holes, (70, y), 18, 0.8, thick, cv2.LINE_AA)
    ink, _ = written(mnist, 5 * MILLIMETRE, 600, 500)

    assert find_digits(scan(holes)) == []
    assert len(find_digits(scan(np.maximum(holes, ink)))) == 3
