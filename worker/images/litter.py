"""What lies on an all but empty page and is no number: staples, punch holes, hairs."""

import cv2
import numpy as np

from worker.images.shapes import Line, Shape

# Lengths are shares of the page's longer side; a millimetre of A4 is 0.0034. Set by what the things
# measure, and tried on generated scans of empty pages.
NEARLY_EMPTY = 1 / 500  # of the page is ink at most
CORNER = 0.13  # a staple lies as near to two edges of the page
MARGIN = 0.08  # a punch hole lies as near to one
APART = 4  # times their height: punch holes are not nearer to each other
SLENDER = 0.2  # the ink of a staple is at most this share of its length squared,
HAIR = 0.035  # and that of a hair this
DISC = 0.7  # a disc fills 0.785 of its box, digits far less
CLEAR = 128  # ink above this counts, of 255

Lines = list[Line]


def without_staples(lines: Lines, size: tuple[int, ...]) -> Lines:
    """Return the lines of a page without staples and pairs of punch holes at its edges.

    Args:
        size: (height, width) of the page, in pixels of the shapes.
    """
    alone = [line[0] for line in lines if len(line) == 1]
    litter = {id(shape) for shape in alone if _is_staple(shape, size)}
    for shape in (shape for line in lines for shape in line):
        if any(_are_holes(shape, other, size) for line in lines for other in line):
            litter.add(id(shape))
    return without(lines, litter)


def without_specks(lines: Lines) -> Lines:
    """Return the lines of a page, seen from near, without discs, and without hairs that are alone
    in their line."""
    litter = {id(shape) for line in lines for shape in line if _is_disc(shape)}
    litter |= {id(line[0]) for line in lines if len(line) == 1 and _slenderness(line[0]) < HAIR}
    return without(lines, litter)


def without(lines: Lines, litter: set[int]) -> Lines:
    """Return the lines without the shapes that have these ids."""
    rest = (line.of(shape for shape in line if id(shape) not in litter) for line in lines)
    return [line for line in rest if line]


def _slenderness(shape: Shape) -> float:
    """Return the ink of a shape as a share of its length squared."""
    dark = (shape.ink >= CLEAR).view(np.uint8)
    points = cv2.findNonZero(dark)
    if points is None:
        return 1.0
    _, sides, _ = cv2.minAreaRect(points)
    return float(np.count_nonzero(dark) / (max(sides) + 1) ** 2)


def _is_staple(shape: Shape, size: tuple[int, ...]) -> bool:
    near = CORNER * max(size)
    across = min(shape.x, size[1] - shape.x - shape.width)
    along = min(shape.y, size[0] - shape.y - shape.height)
    return across < near and along < near and _slenderness(shape) < SLENDER


def _are_holes(a: Shape, b: Shape, size: tuple[int, ...]) -> bool:
    """Return whether two shapes are punch holes: round, alike, far apart, and along one edge."""
    if not (_is_round(a) and _is_round(b)) or not 0.75 < a.height / b.height < 1.33:
        return False
    across, along = abs(a.x - b.x), abs(a.y - b.y)
    far, near = APART * max(a.height, b.height), MARGIN * max(size)
    at_side = max(a.x, b.x) < near or min(a.x + a.width, b.x + b.width) > size[1] - near
    at_end = max(a.y, b.y) < near or min(a.y + a.height, b.y + b.height) > size[0] - near
    return (at_side and along > far and across < a.width) or (
        at_end and across > far and along < a.height
    )


def _is_round(shape: Shape) -> bool:
    return 0.8 < shape.width / shape.height < 1.25


def _is_disc(shape: Shape) -> bool:
    filled = np.count_nonzero(shape.ink >= CLEAR) / shape.ink.size
    return _is_round(shape) and bool(filled > DISC)
