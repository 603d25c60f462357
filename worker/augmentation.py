"""Digits as other hands, pens and cameras would make them.

Everything is made from MNIST's digits alone. Digits are drawn at twice their size and brought back
by the same `normalize` that the reading of a photo ends with.
"""

import math

import cv2
import numpy as np

from worker.drawing import cropped, draw, moved
from worker.forms import OTHER_FORMS
from worker.images import normalize


def distort(
    image: np.ndarray,
    label: int,
    rng: np.random.Generator,
    hardly: float = 0.2,
    lightly: float = 0.3,
) -> np.ndarray:
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
    pixels = seen(with_other_pen(drawn, rng), rng)
    return image if pixels is None else pixels


def with_other_pen(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw with a thinner or a broader pen, from a hair to a marker."""
    chance = rng.random()
    if chance < 0.3:
        return drawn
    if chance < 0.55:  # thinner: what is left of a blurred stroke's crest
        blurred = cv2.GaussianBlur(drawn, (0, 0), 1.5).astype(np.float32)
        high = blurred.max()
        cut = high * rng.uniform(0.35, 0.62)
        thin = np.clip((blurred - cut) * (255 / max(high - cut, 1) * 1.6), 0, 255)
        return thin.astype(np.uint8)
    width = rng.choice([3, 5, 7], p=[0.5, 0.35, 0.15])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(width), int(width)))
    return cv2.dilate(drawn, kernel)


def seen(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """Give what was drawn as a camera, a scanner or a tiny file gives it.

    Returns:
        uint8, shape (28, 28); None where too little ink is left.
    """
    drawn = cropped(drawn)
    chance = rng.random()
    if chance < 0.4:
        drawn = _tiny(drawn, rng)
    elif chance < 0.54:
        drawn = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.7, 2.5))
    elif chance < 0.68:
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


def _tiny(drawn: np.ndarray, rng) -> np.ndarray:
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
    return np.clip(small, 0, 255).astype(np.uint8)


def _patchy(drawn: np.ndarray, rng) -> np.ndarray:
    """Let the ink fade in places, as pencil and dry pens do."""
    height, width = drawn.shape
    coarse = rng.uniform(0.45, 1.15, (int(rng.integers(3, 9)),) * 2).astype(np.float32)
    strength = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(drawn * strength, 0, 255).astype(np.uint8)


def _with_stray(drawn: np.ndarray, rng) -> np.ndarray:
    """Add what the finding of ink may leave beside a digit: a rule's rest, a neighbour's stroke."""
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
