"""Images with ink that are not digits: examples of "not a digit".

They are made of MNIST's digits, taken apart, turned and put together, or drawn: strokes, letters,
filled shapes, noise and shade.
"""

import cv2
import numpy as np

from worker.arrays import Labels, Pixels
from worker.images.finding import SIZE
from worker.training import letters, objects
from worker.training.augmentation import (
    CANVAS,
    MIDDLE,
    cropped,
    degraded,
    draw,
    extent,
    moved,
    with_other_stroke_width,
)
from worker.training.objects import COLUMNS, ROWS

LEAST_INK = 40  # pixels of the canvas


def not_a_digit(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """Make one image with ink that is not a digit.

    Args:
        images: uint8, shape (n, 28, 28): digits to make it from.
        labels: which digits they are, shape (n,).
        rng: the source of chance.

    Returns:
        uint8, shape (28, 28).
    """
    while True:
        kind = KINDS[rng.choice(len(KINDS), p=_SHARES)]
        drawn = kind(images, labels, rng)
        if (drawn > 100).sum() < LEAST_INK:
            continue
        if kind in FILLS_FRAME and rng.random() < 0.5:
            whole: Pixels = cv2.resize(drawn, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            return whole
        if kind in MADE_OF_DIGITS:
            drawn = with_other_stroke_width(drawn, rng)
        pixels = degraded(drawn, rng)
        if pixels is not None:
            # Half of them as soft as most digits, so that softness does not mark a digit.
            return moved(pixels, rng) if rng.random() < 0.5 else pixels


def _pick(
    images: Pixels, labels: Labels, rng: np.random.Generator, wanted: list[int] | None = None
) -> Pixels:
    """Return one of the images; of the wanted digits, if there is one."""
    rows = np.arange(len(images))
    if wanted is not None and np.isin(labels, wanted).any():
        rows = np.flatnonzero(np.isin(labels, wanted))
    image: Pixels = images[rows[rng.integers(len(rows))]]
    return image


# Made of digits.


def _mirrored(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """Mirror a digit so that it is not a digit any more (a mirrored 2 is an S, a 5 a Z)."""
    wanted = [3, 4, 6, 7, 9] if rng.random() < 0.7 else [2, 5]
    return draw(_pick(images, labels, rng, wanted)[:, ::-1], rng)


def _turned(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """Lay a digit on its side, or on its head where that makes no other digit."""
    if rng.random() < 0.7:
        image = _pick(images, labels, rng, [2, 3, 4, 5, 6, 7, 9])
        return draw(np.rot90(image, rng.choice([1, 3])), rng)
    return draw(_pick(images, labels, rng, [3, 4, 7])[::-1, ::-1], rng)


def _pair(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """Two digits that stand next to each other, or one above the other, and touch."""
    # A 1 is narrow: with one beside it, a digit still has a digit's shape.
    wanted = [[1] if rng.random() < 0.3 else None for _ in range(2)]
    digits = [cropped(draw(_pick(images, labels, rng, some), rng)) for some in wanted]
    first, second = digits
    below = rng.random() < 0.15
    if below:
        first, second = first.T, second.T
    height = max(len(first), len(second))
    lap = int(rng.integers(-2, 7))
    lap = min(lap, first.shape[1] - 1, second.shape[1] - 1)
    width = first.shape[1] + second.shape[1] - lap
    page = np.zeros((height, width), np.uint8)
    page[(height - len(first)) // 2 :][: len(first), : first.shape[1]] = first
    place = page[(height - len(second)) // 2 :][: len(second), width - second.shape[1] :]
    np.maximum(place, second, out=place)
    return objects.on_canvas(page.T if below else page)


def _patchwork(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """Two halves of different digits, one of them mirrored or turned."""
    one, other = (draw(_pick(images, labels, rng), rng) for _ in range(2))
    other = [other[:, ::-1], other[::-1], other.T, other[::-1, ::-1]][rng.integers(4)]
    mask = COLUMNS > MIDDLE if rng.random() < 0.5 else ROWS > MIDDLE
    return np.where(mask, one, other)


def _part(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """One side of a digit, with the other side cut off."""
    drawn = draw(_pick(images, labels, rng, [0, 2, 3, 5, 8]), rng)
    *_, left, right = extent(drawn)
    cut = left + (right - left) * rng.uniform(0.35, 0.65)
    gone = cut > COLUMNS if rng.random() < 0.5 else cut < COLUMNS
    return np.where(gone, 0, drawn).astype(np.uint8)


def _ring_and_bars(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """A 0, or a part of one, with one or two bars, as D, Q, G, e, p and a have them."""
    ring = draw(_pick(images, labels, rng, [0]), rng)
    top, bottom, left, right = extent(ring)
    if rng.random() < 0.5:
        ring = _opened(ring, rng)
    columns = [left, left, (left + right) / 2, right, right]
    ring = np.ascontiguousarray(ring)
    for _ in range(rng.choice([1, 2], p=[0.7, 0.3])):
        chance = rng.random()
        if chance < 0.5:  # upright, at a side or through the middle, perhaps beyond the ring
            x = columns[rng.integers(5)]
            start: tuple[float, float] = (x, top - rng.uniform(0, 8))
            end: tuple[float, float] = (x, bottom)
            if rng.random() < 0.3:
                start, end = (x, top), (x, bottom + rng.uniform(0, 8))
        elif chance < 0.8:  # level
            y = rng.uniform(top, bottom)
            start, end = (left if rng.random() < 0.5 else MIDDLE, y), (right, y)
        else:  # the tail of a Q
            start = MIDDLE + rng.uniform(-3, 5), MIDDLE + rng.uniform(2, 10)
            end = right + 3, bottom + 3
        first, last = ((round(float(x)), round(float(y))) for x, y in (start, end))
        cv2.line(ring, first, last, 255, int(rng.integers(3, 8)), cv2.LINE_AA)
    return ring


def _opened(ring: Pixels, rng: np.random.Generator) -> Pixels:
    """Take a wide sector out of a 0, as in C, U and n."""
    middle = rng.choice([0, 0, 90, 180, 270]) + rng.uniform(-25, 25)
    angle = np.degrees(np.arctan2(ROWS - MIDDLE, COLUMNS - MIDDLE)) - middle
    away = np.abs((angle + 180) % 360 - 180)
    return np.where(away < rng.uniform(35, 75), 0, ring).astype(np.uint8)


def _open_ring(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """A 0 that lacks a wide sector: C, U, n."""
    return _opened(draw(_pick(images, labels, rng, [0]), rng), rng)


# Drawn here.


def _letter(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return letters.letter(rng)


def _strokes(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return letters.strokes_at_random(rng)


def _scribble(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    """A pen that wanders."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    points = rng.uniform(6, CANVAS - 6, (int(rng.integers(4, 10)), 2)).astype(np.float32)
    path = cv2.resize(points[:, None], (1, len(points) * 8), interpolation=cv2.INTER_CUBIC)
    cv2.polylines(canvas, [np.rint(path).astype(np.int32)], False, 255, int(rng.integers(2, 7)))
    return canvas


def _silhouette(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return objects.silhouette(rng)


def _garment(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return objects.garment(rng)


def _shoe(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return objects.shoe(rng)


def _noise(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return objects.noise(rng)


def _shade(images: Pixels, labels: Labels, rng: np.random.Generator) -> Pixels:
    return objects.shade(rng)


_KINDS = {
    _mirrored: 0.09,
    _turned: 0.07,
    _pair: 0.10,
    _patchwork: 0.03,
    _part: 0.04,
    _ring_and_bars: 0.05,
    _open_ring: 0.03,
    _letter: 0.32,
    _strokes: 0.06,
    _scribble: 0.02,
    _silhouette: 0.06,
    _garment: 0.05,
    _shoe: 0.03,
    _noise: 0.03,
    _shade: 0.02,
}
KINDS = tuple(_KINDS)
_SHARES = tuple(_KINDS.values())
MADE_OF_DIGITS = {_mirrored, _turned, _pair, _patchwork, _part, _ring_and_bars, _open_ring}
FILLS_FRAME = {_silhouette, _garment, _shoe, _noise, _shade}
