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
SOLID = 0.59  # of its longer side: a shape with a stroke that is as thick is a blot; 8s have 0.58
HOLE = 0.03  # of its height: the side of the smallest hole that counts; 0.05 before
MOST_HOLES = 1  # more than two for each digit that it may be
PER_DIGIT = 1.45  # digits that touch are so many times as high as wide, on average
MOST_STROKES = 4  # one above the other in a digit; a spiral of three turns has six
SHARE = 0.1  # of the columns, that have more
THINNEST = 0.02  # of its height: a stroke; what is left of printed lines is thinner
NARROWEST = 0.05  # of its height: a gap between two strokes
ARMS = 6  # strokes that run straight out of one place make a star; MNIST's test images have 5
ARM = 0.36  # of its shorter side: how far an arm of a star reaches,
WHOLE = 0.95  # and the share of that which is ink
CENTRAL = 0.12  # how far that place is from the middle of a star, as a share of its sides
POINTS = 5  # of a star, and as many notches between them, each as deep as
NOTCH = 0.12  # this share of its longer side
ALIKE = 1.6  # how many times as far from its middle the farthest of these is as the nearest
ROUND = (0.75, 1.35)  # its width to height
DIRECTIONS = 72  # in which arms are looked for
SURELY = 0.98  # the probability of "not a digit" of such ink


def is_doodle(shape: Shape) -> bool:
    """Return whether a shape is surely neither one digit nor several that touch."""
    if shape.height < LEAST_HEIGHT:
        return False
    ink = shape.ink >= CLEAR
    is_scribble = _strokes(ink) > MOST_STROKES or _has_too_many_holes(ink)
    return is_scribble or _is_solid(ink) or _is_star(ink)


def as_not_a_digit(row: Probabilities) -> Probabilities:
    """Return 11 probabilities with that of "not a digit", the last, raised to SURELY."""
    rest = (1 - SURELY) * row[:-1] / max(float(row[:-1].sum()), 1e-9)
    return np.append(rest, SURELY).astype(np.float32)


def _is_solid(ink: Mask) -> bool:
    depth = cv2.distanceTransform(np.pad(ink, 1).view(np.uint8), cv2.DIST_L2, 3)
    return bool(2 * float(depth.max()) > SOLID * max(ink.shape))


def _is_star(ink: Mask) -> bool:
    """Return whether ink is about as wide as high, and has arms or points all around its middle."""
    if not ROUND[0] <= ink.shape[1] / len(ink) <= ROUND[1]:
        return False
    return _arms(ink) >= ARMS or _has_points(ink)


def _arms(ink: Mask) -> int:
    """Return how many strokes run straight out of the thickest ink, if that is in the middle."""
    depth = cv2.distanceTransform(np.pad(ink, 1).view(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), ink.shape)
    high, wide = ink.shape
    if max(abs(row / high - 0.5), abs(column / wide - 0.5)) > CENTRAL:
        return 0
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    steps = np.arange(1, max(2, round(ARM * min(ink.shape))))
    rows = np.rint(row + np.outer(np.sin(angles), steps)).astype(int)
    columns = np.rint(column + np.outer(np.cos(angles), steps)).astype(int)
    inside = (rows >= 0) & (rows < high) & (columns >= 0) & (columns < wide)
    on = ink[np.clip(rows, 0, high - 1), np.clip(columns, 0, wide - 1)] & inside
    is_arm = on.mean(axis=1) >= WHOLE
    return int(np.count_nonzero(is_arm & ~np.roll(is_arm, 1)))


def _has_points(ink: Mask) -> bool:
    """Return whether there are deep notches all around, which end about as far from the middle."""
    places = cv2.findNonZero(ink.view(np.uint8))
    if places is None:
        return False
    hull = np.zeros(ink.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(places), 1)
    depth = cv2.distanceTransform(np.pad(hull, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    middle = np.argwhere(hull > 0).mean(axis=0)
    outlines, _ = cv2.findContours(ink.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(hull, outlines, -1, 0, cv2.FILLED)
    count, labels = cv2.connectedComponents(hull, connectivity=4)
    far = []
    for number in range(1, count):
        own = np.where(labels == number, depth, 0)
        if own.max() >= NOTCH * max(ink.shape):
            deepest = np.unravel_index(int(own.argmax()), own.shape)
            far.append(float(np.hypot(*(np.array(deepest) - middle))))
    return len(far) >= POINTS and max(far) <= ALIKE * min(far)


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
