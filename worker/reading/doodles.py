"""Ink that is no digit, however it is read: blots, scribbles, spirals, stars.

The network knows no more of them than their 20x20 pixels, and a scribble that is cut into parts may
read as several digits, each of them sure.
"""

import cv2
import numpy as np

from worker.arrays import Integers, Mask, Probabilities
from worker.images.shapes import Shape

# Tuned on benchmarks.complaints (cut and plain, seed 1) and strings of benchmarks.collections.
LEAST_HEIGHT = 24  # pixels of a shape that is looked at; in smaller ones, strokes run together
CLEAR = 128  # ink above this, of 255, belongs to a stroke
SOLID = 0.63  # of its longer side: a shape with a stroke that is as thick is a blot; 8s have 0.55
HOLE = 0.05  # of its height: the side of the smallest hole that counts
MOST_HOLES = 1  # more than two for each digit that it may be
PER_DIGIT = 1.45  # digits that touch are so many times as high as wide, on average
MOST_STROKES = 4  # one above the other in a digit; a spiral of three turns has six
SHARE = 0.1  # of the columns, that have more
THINNEST = 0.02  # of its height: a stroke; what is left of printed lines is thinner
NARROWEST = 0.05  # of its height: a gap between two strokes
SURELY = 0.98  # the probability of "not a digit" of such ink


def is_doodle(shape: Shape) -> bool:
    """Return whether a shape is surely neither one digit nor several that touch."""
    if shape.height < LEAST_HEIGHT:
        return False
    ink = shape.ink >= CLEAR
    return _is_solid(ink) or _strokes(ink) > MOST_STROKES or _has_too_many_holes(ink)


def as_not_a_digit(row: Probabilities) -> Probabilities:
    """Return 11 probabilities with that of "not a digit", the last, raised to SURELY."""
    rest = (1 - SURELY) * row[:-1] / max(float(row[:-1].sum()), 1e-9)
    return np.append(rest, SURELY).astype(np.float32)


def _is_solid(ink: Mask) -> bool:
    depth = cv2.distanceTransform(np.pad(ink, 1).view(np.uint8), cv2.DIST_L2, 3)
    return bool(2 * float(depth.max()) > SOLID * max(ink.shape))


def _strokes(ink: Mask) -> int:
    """Return how many strokes lie above each other, at least, in SHARE of the columns."""
    thinnest = max(1, round(THINNEST * len(ink)))
    gap = max(1, round(NARROWEST * len(ink)))
    room = max(thinnest, gap)
    strokes = np.pad(ink, ((room, room), (0, 0))).view(np.uint8)
    # A ragged stroke is one, and so are its two edges where a printed line ran through it.
    strokes = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8))
    strokes = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, np.ones((thinnest, 1), np.uint8))
    begun: Integers = (np.diff(strokes.view(np.int8), axis=0) > 0).sum(axis=0)
    return int(np.sort(begun)[int((1 - SHARE) * (len(begun) - 1))])


def _has_too_many_holes(ink: Mask) -> bool:
    height, width = ink.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        np.pad(~ink, 1, constant_values=True).view(np.uint8), connectivity=4
    )
    areas = stats[2:, cv2.CC_STAT_AREA]  # the first two are the ink and what is around it
    holes = np.count_nonzero(areas >= max(3.0, (HOLE * height) ** 2))
    return bool(holes > 2 * max(1, round(PER_DIGIT * width / height)) + MOST_HOLES)
