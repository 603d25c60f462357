"""Digits that people write in two ways: strokes that some hands add, bend or leave out."""

import math

import cv2
import numpy as np

from worker.drawing import CANVAS, MIDDLE, PEN, cropped, extent


def _ink_in_row(drawn: np.ndarray, row: int) -> tuple[int, int]:
    columns = np.flatnonzero(drawn[min(max(row, 0), CANVAS - 1)] > 60)
    return (int(columns[0]), int(columns[-1])) if columns.size else (28, 28)


def _pen_of(drawn: np.ndarray, row: int) -> int:
    left, right = _ink_in_row(drawn, row)
    return int(np.clip(right - left, 3, PEN + 2))


def _one_with_flag(drawn: np.ndarray, rng) -> np.ndarray:
    """Give a 1 the flag at its top that most of Europe writes, and sometimes a foot."""
    drawn = _upright(drawn, rng) if rng.random() < 0.5 else drawn.copy()
    top, bottom, *_ = extent(drawn)
    high = bottom - top
    pen = _pen_of(drawn, (top + bottom) // 2)
    if rng.random() < 0.9:
        start = sum(_ink_in_row(drawn, top + 2)) // 2
        length = high * rng.uniform(0.15, 0.75)
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


def _upright(drawn: np.ndarray, rng) -> np.ndarray:
    """Take most of its slant from a 1, as those who draw its flag do."""
    top, bottom, *_ = extent(drawn)
    ends = [sum(_ink_in_row(drawn, row)) / 2 for row in (top + 3, bottom - 3)]
    slant = (ends[0] - ends[1]) / max(bottom - top - 6, 1) * rng.uniform(0.7, 1.15)
    return cv2.warpAffine(drawn, np.array([[1, slant, -slant * MIDDLE], [0, 1, 0]]), drawn.shape)


def _seven_with_bar(drawn: np.ndarray, rng) -> np.ndarray:
    """Cross a 7's stem."""
    top, bottom, left, right = extent(drawn)
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
    top, bottom, *_ = extent(drawn)
    row = top + 2
    left, right = _ink_in_row(drawn, row + round((bottom - top) * rng.uniform(0, 0.12)))
    if right - left < 8:
        return drawn
    drawn = drawn.copy()
    cv2.line(drawn, (left, row), (right, row), 255, int(rng.integers(3, 6)), cv2.LINE_AA)
    return drawn


def _four_with_short_arm(drawn: np.ndarray, rng) -> np.ndarray:
    """Start the stem of an open 4 lower than its left stroke, as quick hands do, and end it sooner.

    A 4 that would fall apart is left as it is.
    """
    top, bottom, left, right = extent(drawn)
    bar = top + int((drawn[top : bottom + 1] > 60).sum(axis=1).argmax())
    upper = drawn[top + (bar - top) // 3, left : right + 1] > 60
    runs = np.flatnonzero(np.diff(upper.astype(np.int8), prepend=0) == 1)
    if len(runs) != 2 or bar - top < 8:
        return drawn
    gap = left + int(runs[1]) - 2
    shorter = drawn.copy()
    shorter[: top + round((bar - top) * rng.uniform(0.2, 0.75)), gap:] = 0
    if rng.random() < 0.5:
        shorter[bar + round((bottom - bar) * rng.uniform(0.4, 0.9)) :] = 0
    is_whole = cv2.connectedComponents((shorter > 60).astype(np.uint8))[0] == 2
    return shorter if is_whole and shorter.sum() > 0.65 * drawn.sum() else drawn


def _broad_one(drawn: np.ndarray, rng) -> np.ndarray:
    """Write a 1 with a pen as broad as a third of its height, broadest in tiny images."""
    if rng.random() < 0.62:
        return drawn
    is_tiny = rng.random() < 0.6
    broad = int(rng.integers(4, 17 if is_tiny else 11))
    drawn = cv2.dilate(drawn, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (broad, 3)))
    if not is_tiny:
        return drawn
    side = round(CANVAS * rng.integers(8, 11) / max(cropped(drawn).shape))
    tiny = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(tiny, drawn.shape, interpolation=cv2.INTER_CUBIC)


def _nine_with_hook(drawn: np.ndarray, rng) -> np.ndarray:
    """Bend the stem of a 9 to the left at its foot, as print and many hands do."""
    top, bottom, left, right = extent(drawn)
    start = sum(_ink_in_row(drawn, bottom - 3)) / 2
    reach = (right - left) * rng.uniform(0.4, 1.25)
    sag, rise = rng.uniform(0, 5), rng.uniform(-2, 8)
    way = np.linspace(0, 1, 8)
    x = start - reach * way
    y = bottom - 3 + 4 * sag * way * (1 - way) - rise * way**2
    return _with_curve(drawn, x, y, _pen_of(drawn, (top + 3 * bottom) // 4))


def _nine_with_bow(whole: np.ndarray, rng) -> np.ndarray:
    """Write the lower half of a 9 as a bow that swings out to the right, like that of a 3."""
    top, bottom, left, right = extent(whole)
    wide, high = right - left, bottom - top
    waist = top + round(high * rng.uniform(0.5, 0.6))
    ink = _ink_in_row(whole, waist)
    pen = max(3, _pen_of(whole, (top + 3 * bottom) // 4) - 1)
    drawn = whole.copy()
    drawn[waist + 1 :] = 0
    if not _has_loop(drawn):
        return whole
    turns = np.array(
        [
            (ink[1] - pen / 2, waist),
            (right + wide * rng.uniform(-0.25, 0.15), waist + high * rng.uniform(0.15, 0.25)),
            (right - wide * rng.uniform(0.2, 0.5), bottom),
            (left + wide * rng.uniform(-0.2, 0.3), bottom - high * rng.uniform(0, 0.15)),
        ]
    )
    way = np.linspace(0, 3, 13)
    x, y = (_smooth(way, turns[:, n]) for n in (0, 1))
    return _with_curve(drawn, x, y, pen)


def _has_loop(drawn: np.ndarray) -> bool:
    """Tell whether the ink goes around some paper."""
    paper = np.pad((drawn <= 60).astype(np.uint8), 1, constant_values=1)
    return cv2.connectedComponents(paper, connectivity=4)[0] > 2


def _smooth(way: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give the cubic through four values at 0, 1, 2 and 3."""
    return np.polyval(np.polyfit(np.arange(4), values, 3), way)


def _with_curve(drawn: np.ndarray, x: np.ndarray, y: np.ndarray, pen: int) -> np.ndarray:
    line = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
    return cv2.polylines(drawn.copy(), [line], False, 255, min(pen, 6), cv2.LINE_AA)


def _another_four(drawn: np.ndarray, rng) -> np.ndarray:
    return (_closed_four if rng.random() < 0.3 else _four_with_short_arm)(drawn, rng)


def _another_nine(drawn: np.ndarray, rng) -> np.ndarray:
    return (_nine_with_hook if rng.random() < 0.6 else _nine_with_bow)(drawn, rng)


# For each digit, strokes that some people add, and how many do.
OTHER_FORMS = {
    1: ((_one_with_flag, _broad_one), 0.7),
    4: ((_another_four,), 0.25),
    7: ((_seven_with_bar,), 0.2),
    9: ((_another_nine,), 0.55),
}
