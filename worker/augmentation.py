"""Digits as other hands, pens and cameras would make them, and things that are no digits.

Everything is made from MNIST's digits alone. Digits are drawn at twice their size and brought back
by the same `normalize` that the reading of a photo ends with.
"""

import math

import cv2
import numpy as np

from worker.images import BOX, SIZE, normalize

CANVAS = 2 * SIZE
PEN = 6.0  # the usual width of a stroke on the canvas, in pixels

_ROWS, _COLUMNS = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
_MIDDLE = (CANVAS - 1) / 2


def distort(
    image: np.ndarray, label: int, rng: np.random.Generator, lightly: float = 0.5
) -> np.ndarray:
    """Draw a digit as another hand might: turned, slanted, stretched, wobbly, thin or thick.

    Args:
        image: uint8, shape (28, 28); 0 is paper.
        label: which digit it is, since people write some digits in two ways.
        rng: the source of chance.
        lightly: the share that is only moved and turned a little, as MNIST's own digits differ.

    Returns:
        uint8, shape (28, 28).

    Source: Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis" (2003), for the elastic displacement.
    """
    if rng.random() < lightly:
        return _lightly(image, rng)
    drawn = _draw(image, rng)
    other_form, share = OTHER_FORMS.get(label, (None, 0))
    if rng.random() < share:
        drawn = other_form(drawn, rng)
    return _seen(_with_other_pen(drawn, rng), image, rng)


def not_a_digit(
    images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, letters: float = 0
) -> np.ndarray:
    """Make one thing that has ink and is no digit.

    Args:
        images: uint8, shape (n, 28, 28): digits to make it from.
        labels: which digits they are, shape (n,).
        rng: the source of chance.
        letters: the share that is built as letters are.

    Returns:
        uint8, shape (28, 28).
    """
    while True:
        kind = KINDS[rng.choice(len(KINDS), p=_SHARES)]
        if letters and rng.random() < letters:
            kind = _letter
        drawn = kind(images, labels, rng)
        if kind not in NEVER_REDRAWN:
            drawn = _with_other_pen(drawn, rng)
        if (drawn > 100).sum() >= 40:
            return _seen(drawn, None, rng)


# How a digit is drawn.


def _lightly(image: np.ndarray, rng) -> np.ndarray:
    angle = math.radians(rng.uniform(-12, 12))
    stretch = np.diag(1 / rng.uniform(0.85, 1.12, 2))
    linear = _turn(angle) @ np.array([[1, rng.uniform(-0.25, 0.25)], [0, 1]]) @ stretch
    middle = np.full(2, (SIZE - 1) / 2)
    offset = middle - linear @ (middle + rng.uniform(-2, 2, 2))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    across = linear[0, 0] * x + linear[0, 1] * y + offset[0]
    along = linear[1, 0] * x + linear[1, 1] * y + offset[1]
    if rng.random() < 0.5:
        wobble = _wobble(SIZE, rng.uniform(0, 0.7), rng)
        across, along = across + wobble[0], along + wobble[1]
    return cv2.remap(image, across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR)


def _draw(image: np.ndarray, rng, most_turn: float = 13) -> np.ndarray:
    """Give the digit on the canvas: turned, slanted, stretched and wobbly."""
    turn = _turn(math.radians(rng.uniform(-most_turn, most_turn)))
    stretch = math.exp(rng.uniform(-0.25, 0.25))
    linear = turn @ np.array([[1, rng.uniform(-0.35, 0.35)], [0, 1]])
    linear = linear @ np.diag([0.5 * stretch * 1.1, 0.5 / stretch * 1.1])
    return _mapped(image, linear, (SIZE - 1) / 2, rng.uniform(0, 0.9), rng)


def _mapped(image: np.ndarray, linear: np.ndarray, middle: float, strength: float, rng):
    """Sample the image onto the canvas; linear leads from the canvas to the image."""
    x, y = _COLUMNS - _MIDDLE, _ROWS - _MIDDLE
    across = linear[0, 0] * x + linear[0, 1] * y + middle
    along = linear[1, 0] * x + linear[1, 1] * y + middle
    if strength > 0.1:
        wobble = _wobble(CANVAS, strength, rng)
        across, along = across + wobble[0], along + wobble[1]
    return cv2.remap(image, across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR)


def _wobble(side: int, strength: float, rng) -> np.ndarray:
    """Give a smooth random displacement, shape (2, side, side), of this strength in pixels."""
    coarse = rng.normal(0, strength, (2, 5, 5)).astype(np.float32)
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) for c in coarse])


def _turn(angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _with_other_pen(drawn: np.ndarray, rng) -> np.ndarray:
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


def _seen(drawn: np.ndarray, image: np.ndarray | None, rng) -> np.ndarray:
    """Give the 28x28 pixels of what was drawn, as a camera, a scanner or a tiny file gives them."""
    drawn = _cropped(drawn)
    chance = rng.random()
    if chance < 0.3:
        drawn = _tiny(drawn, rng)
    elif chance < 0.5:
        drawn = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.7, 2.5))
    elif chance < 0.65:
        drawn = _patchy(drawn, rng)
    if not (drawn > 40).any():
        return image if image is not None else _lightly(np.zeros((SIZE, SIZE), np.uint8), rng)
    if rng.random() < 0.05:
        drawn = _with_stray(drawn, rng)
    pixels = normalize(drawn)
    if rng.random() < 0.3:
        pixels = np.roll(pixels, rng.integers(-1, 2, 2), axis=(0, 1))
    if rng.random() < 0.1:
        noisy = pixels + rng.normal(0, rng.uniform(2, 25), pixels.shape)
        pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return pixels


def _cropped(drawn: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return drawn
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


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


# Digits that people write in two ways.


def _extent(drawn: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = (drawn > 60).any(axis=1).nonzero()[0], (drawn > 60).any(axis=0).nonzero()[0]
    if not rows.size:
        return 10, 45, 10, 45
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _ink_in_row(drawn: np.ndarray, row: int) -> tuple[int, int]:
    columns = np.flatnonzero(drawn[min(max(row, 0), CANVAS - 1)] > 60)
    return (int(columns[0]), int(columns[-1])) if columns.size else (28, 28)


def _pen_of(drawn: np.ndarray, row: int) -> int:
    left, right = _ink_in_row(drawn, row)
    return int(np.clip(right - left, 3, PEN + 2))


def _one_with_flag(drawn: np.ndarray, rng) -> np.ndarray:
    """Give a 1 the flag at its top that most of Europe writes, and sometimes a foot."""
    top, bottom, *_ = _extent(drawn)
    high = bottom - top
    drawn, pen = drawn.copy(), _pen_of(drawn, (top + bottom) // 2)
    if rng.random() < 0.9:
        start = sum(_ink_in_row(drawn, top + 2)) // 2
        length = high * rng.uniform(0.15, 0.55)
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


def _seven_with_bar(drawn: np.ndarray, rng) -> np.ndarray:
    """Cross a 7's stem."""
    top, bottom, left, right = _extent(drawn)
    row = round(top + (bottom - top) * rng.uniform(0.42, 0.65))
    middle = sum(_ink_in_row(drawn, row)) // 2
    half = (right - left) * rng.uniform(0.2, 0.45)
    tilt = int(rng.integers(-3, 4))
    drawn = drawn.copy()
    ends = (round(middle - half), row - tilt), (round(middle + half), row + tilt)
    cv2.line(drawn, *ends, 255, _pen_of(drawn, row), cv2.LINE_AA)
    return drawn


def _closed_four(drawn: np.ndarray, rng) -> np.ndarray:
    """Close an open 4 at its top, as print does."""
    top, bottom, *_ = _extent(drawn)
    row = top + 2
    left, right = _ink_in_row(drawn, row + round((bottom - top) * rng.uniform(0, 0.12)))
    if right - left < 8:
        return drawn
    drawn = drawn.copy()
    cv2.line(drawn, (left, row), (right, row), 255, int(rng.integers(3, 6)), cv2.LINE_AA)
    return drawn


OTHER_FORMS = {1: (_one_with_flag, 0.25), 4: (_closed_four, 0.06), 7: (_seven_with_bar, 0.2)}


# Things that are no digits.


def _pick(images, labels, rng, wanted=None) -> np.ndarray:
    """Give one of the images; of these digits, where there is one."""
    rows = np.flatnonzero(np.isin(labels, wanted)) if wanted is not None else ()
    if not len(rows):
        rows = np.arange(len(images))
    return images[rows[rng.integers(len(rows))]]


def _mirrored(images, labels, rng) -> np.ndarray:
    """Mirror a digit that is then no digit (a mirrored 2 is an S, a mirrored 5 a Z)."""
    wanted = [3, 4, 6, 7, 9] if rng.random() < 0.7 else [2, 5]
    return _draw(_pick(images, labels, rng, wanted)[:, ::-1], rng)


def _turned(images, labels, rng) -> np.ndarray:
    """Lay a digit on its side, or on its head where that makes no other digit."""
    if rng.random() < 0.7:
        image = _pick(images, labels, rng, [2, 3, 4, 5, 6, 7, 9])
        return _draw(np.rot90(image, rng.choice([1, 3])), rng)
    return _draw(_pick(images, labels, rng, [3, 4, 7])[::-1, ::-1], rng)


def _side_by_side(images, labels, rng) -> np.ndarray:
    """Two digits that stand next to each other, or one above the other, and touch."""
    digits = [_cropped(_draw(_pick(images, labels, rng), rng)) for _ in range(2)]
    first, second = digits
    if rng.random() < 0.25:
        first, second = first.T, second.T
    height = max(len(first), len(second))
    lap = int(rng.integers(-2, 5))
    width = first.shape[1] + second.shape[1] - lap
    page = np.zeros((height, width), np.uint8)
    page[(height - len(first)) // 2 :][: len(first), : first.shape[1]] = first
    place = page[(height - len(second)) // 2 :][: len(second), width - second.shape[1] :]
    np.maximum(place, second, out=place)
    if first is not digits[0]:
        page = page.T
    return _on_canvas(page)


def _on_canvas(page: np.ndarray) -> np.ndarray:
    scale = (2 * BOX) / max(page.shape)
    size = tuple(max(1, round(side * scale)) for side in page.shape[::-1])
    page = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    top, left = (CANVAS - page.shape[0]) // 2, (CANVAS - page.shape[1]) // 2
    canvas[top : top + page.shape[0], left : left + page.shape[1]] = page
    return canvas


def _patchwork(images, labels, rng) -> np.ndarray:
    """Two halves of different digits, one of them mirrored or turned."""
    one, other = (_draw(_pick(images, labels, rng), rng) for _ in range(2))
    other = [other[:, ::-1], other[::-1], other.T, other[::-1, ::-1]][rng.integers(4)]
    mask = _COLUMNS > _MIDDLE if rng.random() < 0.5 else _ROWS > _MIDDLE
    return np.where(mask, one, other)


def _part(images, labels, rng) -> np.ndarray:
    """What one side of a digit looks like when the other is cut off."""
    drawn = _draw(_pick(images, labels, rng, [0, 2, 3, 5, 8]), rng)
    *_, left, right = _extent(drawn)
    cut = left + (right - left) * rng.uniform(0.35, 0.65)
    gone = cut > _COLUMNS if rng.random() < 0.5 else cut < _COLUMNS
    return np.where(gone, 0, drawn).astype(np.uint8)


def _strokes(images, labels, rng) -> np.ndarray:
    """Straight 1s and halves of 0s put together on a lattice, as the strokes of letters are."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    wide, high = rng.uniform(0.6, 1.05) * 20, 20
    points = [(x, y) for x in (-wide, 0, wide) for y in (-high, 0, high)]
    joints = [points[rng.integers(9)]]
    for _ in range(rng.choice([2, 3, 4, 5], p=[0.25, 0.4, 0.25, 0.1])):
        start = joints[rng.integers(len(joints))]
        end = points[rng.integers(9)]
        if end == start:
            continue
        joints.append(end)
        if rng.random() < 0.3:  # letters join strokes in their middle too
            joints.append(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        arc = rng.random() < 0.35
        source = _arc(images, labels, rng) if arc else _bar(images, labels, rng)
        depth = rng.uniform(0.2, 0.5) if arc else None
        np.maximum(canvas, _laid(source, start, end, depth, rng), out=canvas)
    return canvas


def _ring_and_bars(images, labels, rng) -> np.ndarray:
    """A 0, or a part of one, with one or two bars, as D, Q, G, e, p and a have them."""
    ring = _draw(_pick(images, labels, rng, [0]), rng)
    top, bottom, left, right = _extent(ring)
    if rng.random() < 0.5:
        ring = _opened(ring, rng)
    columns = [left, left, (left + right) / 2, right, right]
    for _ in range(rng.choice([1, 2], p=[0.7, 0.3])):
        chance = rng.random()
        if chance < 0.5:  # upright, at a side or through the middle, perhaps beyond the ring
            x = columns[rng.integers(5)] - _MIDDLE
            start, end = (x, top - _MIDDLE - rng.uniform(0, 8)), (x, bottom - _MIDDLE)
            if rng.random() < 0.3:
                start, end = (x, top - _MIDDLE), (x, bottom - _MIDDLE + rng.uniform(0, 8))
        elif chance < 0.8:  # level
            y = rng.uniform(top, bottom) - _MIDDLE
            start = (left - _MIDDLE if rng.random() < 0.5 else 0, y)
            end = (right - _MIDDLE, y)
        else:  # the tail of a Q
            start = (rng.uniform(-3, 5), rng.uniform(2, 10))
            end = (right - _MIDDLE + 3, bottom - _MIDDLE + 3)
        bar = _bar(images, labels, rng)
        ring = np.maximum(ring, _laid(bar, start, end, None, rng))
    return ring


def _opened(ring: np.ndarray, rng) -> np.ndarray:
    """Take a wide sector out of a 0, as in C, U and n."""
    middle = rng.choice([0, 0, 90, 180, 270]) + rng.uniform(-25, 25)
    angle = np.degrees(np.arctan2(_ROWS - _MIDDLE, _COLUMNS - _MIDDLE)) - middle
    away = np.abs((angle + 180) % 360 - 180)
    return np.where(away < rng.uniform(35, 75), 0, ring).astype(np.uint8)


def _open_ring(images, labels, rng) -> np.ndarray:
    """A 0 that lacks a wide sector: C, U, n."""
    return _opened(_draw(_pick(images, labels, rng, [0]), rng), rng)


# Strokes of letters between points of a square from -1 to 1: a bar is (x, y, x, y); a bow has a
# fifth number, how deep it is as a share of its length, to the right of its way downwards.
LETTERS = {
    "A": [(-1, 1, 0, -1), (0, -1, 1, 1), (-0.5, 0.3, 0.5, 0.3)],
    "C": [(0.7, 0.8, 0.7, -0.8, 0.7)],
    "D": [(-0.8, -1, -0.8, 1), (-0.8, -1, -0.8, 1, 0.65)],
    "E": [(-0.8, -1, -0.8, 1), (-0.8, -1, 0.8, -1), (-0.8, 0, 0.6, 0), (-0.8, 1, 0.8, 1)],
    "F": [(-0.8, -1, -0.8, 1), (-0.8, -1, 0.8, -1), (-0.8, 0, 0.6, 0)],
    "G": [(0.8, 0.8, 0.8, -0.9, 0.75), (0.9, 0.25, 0.9, 0.8), (0.3, 0.25, 0.9, 0.25)],
    "H": [(-0.8, -1, -0.8, 1), (0.8, -1, 0.8, 1), (-0.8, 0, 0.8, 0)],
    "J": [(0.3, -1, 0.3, 0.5), (0.3, 0.5, -0.6, 0.5, 0.5)],
    "K": [(-0.8, -1, -0.8, 1), (0.8, -1, -0.8, 0.1), (-0.3, -0.2, 0.8, 1)],
    "L": [(-0.7, -1, -0.7, 1), (-0.7, 1, 0.7, 1)],
    "M": [(-0.9, 1, -0.9, -1), (-0.9, -1, 0, 0.4), (0, 0.4, 0.9, -1), (0.9, -1, 0.9, 1)],
    "N": [(-0.8, 1, -0.8, -1), (-0.8, -1, 0.8, 1), (0.8, 1, 0.8, -1)],
    "P": [(-0.7, -1, -0.7, 1), (-0.7, -1, -0.7, 0.1, 1.0)],
    "Q": [(0, -1, 0, 1, 0.45), (0, 1, 0, -1, 0.45), (0.2, 0.4, 0.9, 1.1)],
    "R": [(-0.7, -1, -0.7, 1), (-0.7, -1, -0.7, 0, 1.0), (-0.2, 0, 0.8, 1)],
    "T": [(-0.9, -1, 0.9, -1), (0, -1, 0, 1)],
    "U": [(-0.8, -1, -0.8, 0.3), (0.8, 0.3, -0.8, 0.3, 0.45), (0.8, 0.3, 0.8, -1)],
    "V": [(-0.9, -1, 0, 1), (0, 1, 0.9, -1)],
    "W": [(-1, -1, -0.5, 1), (-0.5, 1, 0, -0.6), (0, -0.6, 0.5, 1), (0.5, 1, 1, -1)],
    "X": [(-0.8, -1, 0.8, 1), (0.8, -1, -0.8, 1)],
    "Y": [(-0.9, -1, 0, 0), (0.9, -1, 0, 0), (0, 0, 0, 1)],
    "a": [(-0.7, -0.6, 0.7, -0.4, 0.35), (0.7, -0.4, 0.7, 1), (0.7, 0.9, 0.7, 0, 0.9)],
    "d": [(0.7, -1, 0.7, 1), (0.7, 0.95, 0.7, -0.1, 0.8)],
    "e": [(-0.8, 0, 0.8, 0), (-0.8, 0, 0.8, 0, 0.5), (0.7, 0.7, -0.8, 0, 0.5)],
    "f": [(0.7, -0.8, -0.1, -0.5, -0.4), (-0.1, -0.5, -0.1, 1), (-0.7, -0.1, 0.6, -0.1)],
    "h": [(-0.7, -1, -0.7, 1), (-0.7, 0.1, 0.7, 0.1, 0.4), (0.7, 0.1, 0.7, 1)],
    "i": [(0, -0.3, 0, 1), (0, -1, 0, -0.85)],
    "j": [(0.2, -0.3, 0.2, 0.7), (0.2, 0.7, -0.6, 0.8, 0.4), (0.2, -1, 0.2, -0.85)],
    "m": [
        *[(-1, -0.5, -1, 0.6), (-1, -0.2, 0, -0.2, 0.4), (0, -0.2, 0, 0.6)],
        *[(0, -0.2, 1, -0.2, 0.4), (1, -0.2, 1, 0.6)],
    ],
    "n": [(-0.8, -0.9, -0.8, 0.9), (-0.8, -0.2, 0.8, -0.2, 0.45), (0.8, -0.2, 0.8, 0.9)],
    "r": [(-0.4, -0.9, -0.4, 1), (-0.4, -0.4, 0.6, -0.8, 0.3)],
    "s": [(0.7, -0.8, -0.1, 0, -0.6), (-0.1, 0, -0.7, 0.8, 0.6)],
    "t": [(0, -1, 0, 0.7), (-0.6, -0.4, 0.6, -0.4), (0.7, 0.7, 0, 0.7, 0.4)],
    "y": [(-0.8, -1, 0, 0.2), (0.8, -1, -0.5, 1)],
    "z": [(-0.8, -0.9, 0.8, -0.9), (0.8, -0.9, -0.8, 0.9), (-0.8, 0.9, 0.8, 0.9)],
}
_NAMES = tuple(LETTERS)


def _letter(images, labels, rng, name: str | None = None) -> np.ndarray:
    """Put strokes of digits together as the strokes of a letter are, by another hand each time."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    wide, high = 19 * rng.uniform(0.55, 1), 19
    slant = rng.uniform(-0.15, 0.3)
    bar, ring = _pick(images, labels, rng, [1]), _pick(images, labels, rng, [0])
    for x0, y0, x1, y1, *bow in LETTERS[name or _NAMES[rng.integers(len(_NAMES))]]:
        ends = np.array([(x0, y0), (x1, y1)]) + rng.normal(0, 0.06, (2, 2))
        (x0, y0), (x1, y1) = ends * (wide, high)
        start, end = (x0 - slant * y0, y0), (x1 - slant * y1, y1)
        if bow:
            if bow[0] < 0:
                start, end = end, start
            depth = abs(bow[0]) * rng.uniform(0.8, 1.2)
            stroke = _laid(_right_half(ring), start, end, depth, rng)
        else:
            stroke = _laid(bar, start, end, None, rng)
        np.maximum(canvas, stroke, out=canvas)
    return canvas


def _right_half(ring: np.ndarray) -> np.ndarray:
    ring = ring.copy()
    ring[:, : SIZE // 2] = 0
    return ring


def _bar(images, labels, rng) -> np.ndarray:
    return _pick(images, labels, rng, [1])


def _arc(images, labels, rng) -> np.ndarray:
    """Give one half of a 0, mirrored or not."""
    ring = _right_half(_pick(images, labels, rng, [0]))
    return ring if rng.random() < 0.5 else ring[:, ::-1]


def _laid(source: np.ndarray, start, end, depth: float | None, rng) -> np.ndarray:
    """Lay a stroke on the canvas from one point to another, both counted from its middle.

    depth: of a bow, as a share of its length; None for a straight stroke.
    """
    rows, columns = np.nonzero(source > 100)
    if rows.size < 8:
        return np.zeros((CANVAS, CANVAS), np.uint8)
    if depth is not None:
        ends = [(columns[rows == row].mean(), row) for row in (rows.min(), rows.max())]
    else:
        centre, axis = _axis(columns, rows)
        reach = (columns - centre[0]) * axis[0] + (rows - centre[1]) * axis[1]
        ends = [centre + reach.min() * axis, centre + reach.max() * axis]
    (ax, ay), (bx, by) = ends
    (cx, cy), (dx, dy) = start, end
    length = math.hypot(dx - cx, dy - cy)
    own = math.hypot(bx - ax, by - ay)
    along = np.array([(bx - ax, by - ay), (-(by - ay), bx - ax)]).T / max(own, 1)
    onto = np.array([(dx - cx, dy - cy), (-(dy - cy), dx - cx)]).T / max(length, 1)
    # The width of the pen stays: only along the stroke is it stretched.
    across = rng.uniform(1.2, 2.0)
    if depth is not None:
        across = depth * length / max(float(np.ptp(columns)), 1)
    linear = onto @ np.diag([length / max(own, 1), across]) @ along.T
    offset = np.array([cx, cy]) + _MIDDLE - linear @ np.array([ax, ay])
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(np.ascontiguousarray(source), matrix, (CANVAS, CANVAS))


def _axis(columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the middle of some pixels and the direction in which they lie."""
    centre = np.array([columns.mean(), rows.mean()])
    x, y = columns - centre[0], rows - centre[1]
    angle = 0.5 * math.atan2(2 * float((x * y).mean()), float((x * x).mean() - (y * y).mean()))
    return centre, np.array([math.cos(angle), math.sin(angle)])


def _scribble(images, labels, rng) -> np.ndarray:
    """A pen that wanders."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    points = rng.uniform(6, CANVAS - 6, (int(rng.integers(4, 10)), 2)).astype(np.float32)
    path = cv2.resize(points[:, None], (1, len(points) * 8), interpolation=cv2.INTER_CUBIC)
    cv2.polylines(canvas, [np.rint(path).astype(np.int32)], False, 255, int(rng.integers(2, 7)))
    return canvas


def _blob(images, labels, rng) -> np.ndarray:
    """A filled shape with texture: clothes, stains, pictures."""
    corners = int(rng.integers(3, 12))
    angles = np.sort(rng.uniform(0, 2 * math.pi, corners))
    reach = rng.uniform(8, 26, corners)
    outline = np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1) + _MIDDLE
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], 255)
    if rng.random() < 0.4:
        canvas = np.maximum(canvas, canvas[:, ::-1])
    side = int(rng.integers(2, 20))
    texture = rng.uniform(0, 1.3, (side, side)).astype(np.float32)
    shade = cv2.resize(texture, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return np.clip(canvas * shade, 0, 255).astype(np.uint8)


def _noise(images, labels, rng) -> np.ndarray:
    """Dots, coarse or fine."""
    side = int(rng.integers(4, CANVAS))
    dots = rng.uniform(-1, 1, (side, side)).astype(np.float32) + rng.uniform(-0.9, 0.2)
    if rng.random() < 0.3:
        dots = cv2.GaussianBlur(dots, (0, 0), 1) * 2
    shown = cv2.resize(dots, (CANVAS, CANVAS), interpolation=cv2.INTER_NEAREST)
    return np.clip(shown * 255, 0, 255).astype(np.uint8)


_KINDS = {
    _mirrored: 0.15,
    _turned: 0.13,
    _side_by_side: 0.15,
    _patchwork: 0.06,
    _part: 0.04,
    _strokes: 0.2,
    _ring_and_bars: 0.11,
    _open_ring: 0.05,
    _scribble: 0.03,
    _blob: 0.05,
    _noise: 0.03,
}
KINDS = tuple(_KINDS)
_SHARES = tuple(_KINDS.values())
NEVER_REDRAWN = {_blob, _noise}
