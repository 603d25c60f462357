"""A digit on a canvas of twice its size: turned, slanted, stretched and wobbly."""

import math
from functools import cache

import cv2
import numpy as np

from worker.images import BOX, SIZE

CANVAS = 2 * SIZE
PEN = 6.0  # the usual width of a stroke on the canvas, in pixels
MIDDLE = (CANVAS - 1) / 2


def moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, slant and move a digit of 28x28 a little."""
    linear = _turn(math.radians(rng.uniform(-12, 12)))
    linear = linear @ np.array([[1, rng.uniform(-0.25, 0.25)], [0, 1]])
    linear = linear @ np.diag(1 / rng.uniform(0.85, 1.12, 2))
    strength = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0
    return _sampled(image, linear, SIZE, strength, rng, rng.uniform(-2, 2, 2))


def draw(image: np.ndarray, rng: np.random.Generator, most_turn: float = 13) -> np.ndarray:
    """Give the digit on the canvas of 56x56: turned, slanted, stretched and wobbly."""
    linear = _turn(math.radians(rng.uniform(-most_turn, most_turn)))
    linear = linear @ np.array([[1, rng.uniform(-0.35, 0.35)], [0, 1]])
    stretch = math.exp(rng.uniform(-0.25, 0.25))
    linear = linear @ np.diag([0.5 * stretch * 1.1, 0.5 / stretch * 1.1])
    bias = rng.uniform(-0.2, 0.2) if rng.random() < 0.5 else 0.0
    return _sampled(image, linear, CANVAS, rng.uniform(0, 0.9), rng, bias=bias)


def _sampled(image, linear: np.ndarray, side: int, wobble: float, rng, shift=(0.0, 0.0), bias=0.0):
    """Give what lies under side x side points; linear leads from them, about the middle, to it.

    bias: how much larger the upper part is drawn, and the lower one smaller: the waist of the digit
    moves down by this part of half its height.
    """
    y, x = _grid(side)
    if bias:
        half = side * BOX / SIZE / 2
        y = y + np.float32(bias / half) * np.minimum(y * y - half * half, 0)
    middle = (SIZE - 1) / 2 - linear @ np.asarray(shift)
    across = linear[0, 0] * x + linear[0, 1] * y + middle[0]
    along = linear[1, 0] * x + linear[1, 1] * y + middle[1]
    if wobble > 0.1:
        far = _wobble(side, wobble, rng)
        across, along = across + far[0], along + far[1]
    # Both ways to sample, so that neither softness nor sharpness tells a digit.
    how = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.remap(image, across.astype(np.float32), along.astype(np.float32), how)


@cache
def _grid(side: int) -> np.ndarray:
    """Give the rows and columns of side x side points, about the middle."""
    return np.mgrid[0:side, 0:side].astype(np.float32) - np.float32((side - 1) / 2)


def _wobble(side: int, strength: float, rng) -> np.ndarray:
    """Give a smooth random displacement, shape (2, side, side), of this strength in pixels."""
    coarse = rng.normal(0, strength, (2, 5, 5)).astype(np.float32)
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) for c in coarse])


def _turn(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def cropped(drawn: np.ndarray) -> np.ndarray:
    """Give the part of a drawing that holds its ink."""
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return drawn
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def extent(drawn: np.ndarray) -> tuple[int, int, int, int]:
    """Give the first and last row and the first and last column of the ink."""
    rows, columns = (drawn > 60).any(axis=1).nonzero()[0], (drawn > 60).any(axis=0).nonzero()[0]
    if not rows.size:
        return 10, 45, 10, 45
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
