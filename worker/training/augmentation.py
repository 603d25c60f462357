"""Augmentation: digits as other hands, pens and cameras would make them.

Everything is made from MNIST's digits alone. Digits are drawn at twice their size and brought back
by the same `normalize` that the reading of a photo ends with.
"""

import math
from functools import cache
from typing import TypeVar

import cv2
import numpy as np

from worker.arrays import Floats, Pixels
from worker.images.finding import SIZE, normalize

CANVAS = 2 * SIZE
PEN = 6.0  # the usual width of a stroke on the canvas, in pixels
MIDDLE = (CANVAS - 1) / 2

Drawing = TypeVar("Drawing", Pixels, Floats)


def distort(
    image: Pixels,
    label: int,
    rng: np.random.Generator,
    hardly: float = 0.2,
    lightly: float = 0.3,
) -> Pixels:
    """Draw a digit as another hand might: turned, slanted, stretched, wobbly, thin or thick.

    Args:
        image: uint8, shape (28, 28); 0 is paper.
        label: which digit it is, since people write some digits in two ways.
        rng: the source of chance.
        hardly: the share that keeps its pixels, and is at most moved by one.
        lightly: the share that is moved and turned a little, as MNIST's own digits differ.

    Returns:
        uint8, shape (28, 28).

    Source: Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis" (2003), for the elastic displacement.
    """
    chance = rng.random()
    if chance < hardly:
        return np.roll(image, rng.integers(-1, 2, 2), axis=(0, 1))
    if chance < hardly + lightly:
        return moved(image, rng)
    drawn = draw(image, rng)
    forms, share = OTHER_FORMS.get(label, ((), 0))
    if rng.random() < share:
        for other_form in forms:
            drawn = other_form(drawn, rng)
    pixels = degraded(with_other_stroke_width(drawn, rng), rng)
    return image if pixels is None else pixels


# How a digit is drawn.


def moved(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Turn, slant and move a digit of 28x28 a little."""
    linear = _turn(math.radians(rng.uniform(-12, 12)))
    linear = linear @ np.array([[1, rng.uniform(-0.25, 0.25)], [0, 1]])
    linear = linear @ np.diag(1 / rng.uniform(0.85, 1.12, 2))
    strength = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0
    return _sampled(image, linear, SIZE, strength, rng, rng.uniform(-2, 2, 2))


def draw(image: Pixels, rng: np.random.Generator, most_turn: float = 13) -> Pixels:
    """Return the digit on the canvas of 56x56: turned, slanted, stretched and wobbly."""
    linear = _turn(math.radians(rng.uniform(-most_turn, most_turn)))
    linear = linear @ np.array([[1, rng.uniform(-0.35, 0.35)], [0, 1]])
    stretch = math.exp(rng.uniform(-0.25, 0.25))
    linear = linear @ np.diag([0.5 * stretch * 1.1, 0.5 / stretch * 1.1])
    return _sampled(image, linear, CANVAS, rng.uniform(0, 0.9), rng)


def _sampled(
    image: Pixels,
    linear: Floats,
    side: int,
    wobble: float,
    rng: np.random.Generator,
    shift: tuple[float, float] | Floats = (0.0, 0.0),
) -> Pixels:
    """Sample an image at side x side points, which `linear` maps to it, about the middle."""
    y, x = _grid(side)
    middle = (SIZE - 1) / 2 - linear @ np.asarray(shift)
    across = linear[0, 0] * x + linear[0, 1] * y + middle[0]
    along = linear[1, 0] * x + linear[1, 1] * y + middle[1]
    if wobble > 0.1:
        far = _wobble(side, wobble, rng)
        across, along = across + far[0], along + far[1]
    # Both interpolations, so that neither softness nor sharpness marks an image as a digit.
    how = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    found: Pixels = cv2.remap(image, across.astype(np.float32), along.astype(np.float32), how)
    return found


@cache
def _grid(side: int) -> Floats:
    """Return the rows and columns of side x side points, about the middle."""
    grid: Floats = np.mgrid[0:side, 0:side].astype(np.float32) - np.float32((side - 1) / 2)
    return grid


def _wobble(side: int, strength: float, rng: np.random.Generator) -> Floats:
    """Return a smooth random displacement, shape (2, side, side), of this strength in pixels."""
    coarse = rng.normal(0, strength, (2, 5, 5)).astype(np.float32)
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) for c in coarse])


def _turn(angle: float) -> Floats:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def with_other_stroke_width(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw with a thinner or a broader pen, from a hair to a marker."""
    chance = rng.random()
    if chance < 0.3:
        return drawn
    if chance < 0.55:  # thinner: the crest of a blurred stroke
        blurred = cv2.GaussianBlur(drawn, (0, 0), 1.5).astype(np.float32)
        high = blurred.max()
        cut = high * rng.uniform(0.35, 0.62)
        thin = np.clip((blurred - cut) * (255 / max(high - cut, 1) * 1.6), 0, 255)
        thinned: Pixels = thin.astype(np.uint8)
        return thinned
    width = rng.choice([3, 5, 7], p=[0.5, 0.35, 0.15])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(width), int(width)))
    broadened: Pixels = cv2.dilate(drawn, kernel)
    return broadened


def degraded(drawn: Pixels, rng: np.random.Generator) -> Pixels | None:
    """Return a drawing as a camera, a scanner or a tiny file would show it.

    Returns:
        uint8, shape (28, 28); None where too little ink is left.
    """
    drawn = cropped(drawn)
    chance = rng.random()
    if chance < 0.35:
        drawn = _tiny(drawn, rng)
    elif chance < 0.5:
        drawn = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.7, 2.5))
    elif chance < 0.65:
        drawn = _patchy(drawn, rng)
    if not (drawn > 40).any():
        return None
    if rng.random() < 0.05:
        drawn = _with_stray(drawn, rng)
    pixels = normalize(drawn)
    if rng.random() < 0.3:
        pixels = np.roll(pixels, rng.integers(-1, 2, 2), axis=(0, 1))
    if rng.random() < 0.1:
        noisy = pixels + rng.normal(0, rng.uniform(2, 25), pixels.shape)
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return pixels


def cropped(drawn: Drawing) -> Drawing:
    """Return the part of a drawing that holds its ink."""
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return drawn
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _tiny(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Pass the drawing through an image of 8 to 16 pixels a side."""
    high = rng.choice([8, 8, 8, 9, 10, 12, 14, 16])
    scale = high / max(drawn.shape)
    size = tuple(max(2, math.ceil(side * scale)) for side in drawn.shape[::-1])
    small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    # The grid of a tiny image falls anywhere on the stroke.
    dx, dy = rng.uniform(-0.5, 0.5, 2)
    shift = np.array([[1 / scale, 0, dx / scale], [0, 1 / scale, dy / scale]])
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(drawn, (0, 0), 0.4 / scale)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        small = cv2.warpAffine(blurred, shift, (size[0] + 1, size[1] + 1), flags=flags)
    if small.max() < 60:
        return drawn
    if rng.random() < 0.5:  # coarse grey levels, and ink that reaches full black
        levels = rng.integers(8, 33)
        small = np.rint(small * (levels / max(int(small.max()), 1))) * (255 / levels)
    tiny: Pixels = np.clip(small, 0, 255).astype(np.uint8)
    return tiny


def _patchy(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Let the ink fade in places, as pencil and dry pens do."""
    height, width = drawn.shape
    coarse = rng.uniform(0.45, 1.15, (int(rng.integers(3, 9)),) * 2).astype(np.float32)
    strength = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    faded: Pixels = np.clip(drawn * strength, 0, 255).astype(np.uint8)
    return faded


def _with_stray(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Add ink that may be left beside a digit: the rest of a ruled line, a neighbour's stroke."""
    height, width = drawn.shape
    drawn = drawn.copy()
    ink = int(rng.integers(60, 200))
    if rng.random() < 0.5:
        row = int(rng.integers(0, height))
        drawn[row : row + 2] = np.maximum(drawn[row : row + 2], ink)
    else:
        x = 0 if rng.random() < 0.5 else width - 1
        top, bottom = sorted(int(y) for y in rng.integers(0, height, 2))
        cv2.line(drawn, (x, top), (x, bottom), ink, 2)
    return drawn


# Digits that people write in two ways.


def extent(drawn: Pixels) -> tuple[int, int, int, int]:
    """Return the first and last row and the first and last column of the ink."""
    ink = drawn > 60
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        return 10, 45, 10, 45
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _ink_in_row(drawn: Pixels, row: int) -> tuple[int, int]:
    columns = np.flatnonzero(drawn[min(max(row, 0), CANVAS - 1)] > 60)
    return (int(columns[0]), int(columns[-1])) if columns.size else (28, 28)


def _pen_width(drawn: Pixels, row: int) -> int:
    left, right = _ink_in_row(drawn, row)
    return int(np.clip(right - left, 3, PEN + 2))


def _one_with_flag(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Add the flag at the top of a 1 that most of Europe writes, and sometimes a foot."""
    top, bottom, *_ = extent(drawn)
    high = bottom - top
    drawn, pen = drawn.copy(), _pen_width(drawn, (top + bottom) // 2)
    if rng.random() < 0.9:
        start = sum(_ink_in_row(drawn, top + 2)) // 2
        length = high * rng.uniform(0.15, 0.65)
        angle = math.radians(rng.uniform(25, 70))  # below the horizontal
        end = (round(start - length * math.cos(angle)), round(top + 2 + length * math.sin(angle)))
        cv2.line(drawn, (start, top + 2), end, 255, pen, cv2.LINE_AA)
    if rng.random() < 0.3:
        middle = sum(_ink_in_row(drawn, bottom - 2)) // 2
        half = high * rng.uniform(0.12, 0.32)
        tilt = int(rng.integers(-2, 3))
        ends = (round(middle - half), bottom - tilt), (round(middle + half), bottom + tilt)
        cv2.line(drawn, *ends, 255, pen, cv2.LINE_AA)
    return drawn


def _seven_with_bar(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Cross a 7's stem."""
    top, bottom, left, right = extent(drawn)
    row = round(top + (bottom - top) * rng.uniform(0.42, 0.65))
    middle = sum(_ink_in_row(drawn, row)) // 2
    half = (right - left) * rng.uniform(0.2, 0.45)
    tilt = int(rng.integers(-3, 4))
    drawn = drawn.copy()
    ends = (round(middle - half), row - tilt), (round(middle + half), row + tilt)
    cv2.line(drawn, *ends, 255, _pen_width(drawn, row), cv2.LINE_AA)
    return drawn


def _closed_four(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Close an open 4 at its top, as print does."""
    top, bottom, *_ = extent(drawn)
    row = top + 2
    left, right = _ink_in_row(drawn, row + round((bottom - top) * rng.uniform(0, 0.12)))
    if right - left < 8:
        return drawn
    drawn = drawn.copy()
    cv2.line(drawn, (left, row), (right, row), 255, int(rng.integers(3, 6)), cv2.LINE_AA)
    return drawn


def _broad_one(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Write a 1 with a pen as broad as a third of its height, as in the smallest images."""
    if rng.random() < 0.8:
        return drawn
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(rng.integers(4, 10)), 3))
    broad: Pixels = cv2.dilate(drawn, kernel)
    return broad


def _nine_with_hook(drawn: Pixels, rng: np.random.Generator) -> Pixels:
    """Bend the stem of a 9 to the left at its foot, as print and many hands do."""
    top, bottom, left, right = extent(drawn)
    start = sum(_ink_in_row(drawn, bottom - 3)) / 2
    reach = (right - left) * rng.uniform(0.4, 1.25)
    sag, rise = rng.uniform(0, 5), rng.uniform(-2, 8)
    way = np.linspace(0, 1, 8)
    x = start - reach * way
    y = bottom - 3 + 4 * sag * way * (1 - way) - rise * way**2
    line = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
    drawn = drawn.copy()
    pen = min(_pen_width(drawn, (top + 3 * bottom) // 4), 6)
    cv2.polylines(drawn, [line], False, 255, pen, cv2.LINE_AA)
    return drawn


# For each digit, strokes that some people add, and how many do.
OTHER_FORMS = {
    1: ((_one_with_flag, _broad_one), 0.5),
    4: ((_closed_four,), 0.06),
    7: ((_seven_with_bar,), 0.2),
    9: ((_nine_with_hook,), 0.4),
}
