"""What lines that were taken out of the ink say of the digits beside them: cells, and fractions."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from worker.arrays import Mask
from worker.images.marks import RULE, Mark
from worker.images.shapes import Shape

# Tuned on tables of benchmarks.complaints (between, seed 1) and squared pages of
# benchmarks.collections (pages-hard, seed 1). Lengths are shares of the digits' height.
COVERED = 0.8  # of the height of two digits: a rule between them is at least so long
ON = 0.25  # how far a rule goes on above and below what it runs through,
MOST_CROSSED = 0.08  # the share of a page's digits that may be so by chance
FLAT = 4.0  # times as long as thick: a bar
NEAR = 0.9  # a number of a fraction is no farther from its bar,
LONGEST = 2.5  # times as long as the longer of its numbers: a bar
BEYOND = 0.3  # its numbers reach no farther beyond its ends


def rules_between(lines: Sequence[Sequence[Shape]], drawn: Mask) -> list[list[Mark]]:
    """Return the upright rules between the digits of each line.

    Those of squared paper are none: they run through the digits as well.

    Args:
        lines: of the page, each with its digits from left to right.
        drawn: where ink was taken out of the image, bool, of its shape.
    """
    found = [_between(line, drawn) for line in lines]
    if any(found):
        shapes = [shape for line in lines for shape in line]
        if sum(_is_crossed(shape, drawn) for shape in shapes) > MOST_CROSSED * len(shapes):
            return [[] for _ in lines]
    return found


def _is_crossed(shape: Shape, drawn: Mask) -> bool:
    """Return whether an upright rule runs through a shape: it goes on above and below it."""
    far = max(2, round(ON * shape.height))
    across = slice(shape.x, shape.x + shape.width)
    above = drawn[max(0, shape.y - far) : shape.y, across]
    below = drawn[shape.y + shape.height : shape.y + shape.height + far, across]
    ends = [part.mean(axis=0) >= COVERED for part in (above, below) if len(part) >= 2]
    return len(ends) == 2 and all(bool(end.any()) for end in ends)


def _between(line: Sequence[Shape], drawn: Mask) -> list[Mark]:
    found = []
    for one, two in pairwise(line):
        left, right = one.x + one.width, two.x
        top, bottom = min(one.y, two.y), max(one.y + one.height, two.y + two.height)
        if right <= left:
            continue
        gap = drawn[top:bottom, left:right]
        if gap.any(axis=1).mean() >= COVERED:
            columns = np.flatnonzero(gap.any(axis=0))
            x, width = left + int(columns[0]), int(columns[-1] - columns[0]) + 1
            found.append(Mark(RULE, x, top, width, bottom - top))
    return found


def has_fraction(lines: Sequence[Sequence[Shape]], other: Mask) -> bool:
    """Return whether a bar stands between two numbers, one above the other, and these alone.

    Args:
        lines: of the digits of a page.
        other: where there is ink that is in no digit, bool, of the shape of the image.
    """
    shapes = [shape for line in lines for shape in line]
    if len(lines) < 2:
        return False
    height = float(np.median([shape.height for shape in shapes]))
    _, _, stats, _ = cv2.connectedComponentsWithStats(other.view(np.uint8))
    return any(
        width >= FLAT * thick
        and width >= height / 2
        and _is_bar(int(x), int(y), int(width), int(thick), shapes, height)
        for x, y, width, thick, _ in stats[1:]
    )


def _is_bar(x: int, y: int, width: int, thick: int, shapes: list[Shape], height: float) -> bool:
    """Return whether there is one number above a bar, and one below, and nothing beyond these."""
    beside = [one for one in shapes if one.x < x + width and x < one.x + one.width]
    above = [one for one in beside if one.y + one.height / 2 < y]
    below = [one for one in beside if one not in above]
    for number, is_above in ((above, True), (below, False)):
        if not number:
            return False
        left = min(one.x for one in number)
        right = max(one.x + one.width for one in number)
        if left < x - BEYOND * height or right > x + width + BEYOND * height:
            return False
        if is_above:
            gaps = [y - one.y - one.height for one in number]
        else:
            gaps = [one.y - y - thick for one in number]
        if max(gaps) > NEAR * height or min(gaps) < -BEYOND * height:
            return False
    longest = max(sum(one.width for one in number) for number in (above, below))
    return width <= LONGEST * longest
