"""Lone lines, which are no digits: rules, scratches, hairs, brackets, and borders along the rim.

Where a page holds nothing like digits, a stroke on it is a line or a 1. Bayes' rule weighs how
slender and how bent it is, and what kind of image it is in. In a crop of one character a stroke is
a 1 (see worker.reading.strokes), unless it lies along the rim.
"""

from collections.abc import Callable

import numpy as np

from worker.arrays import Mask, Pixels
from worker.images.litter import Lines, without
from worker.images.shapes import Shape
from worker.images.strokes import CLEAR, Stroke, stroke_of

CROP = 320  # pixels: no crop of a character is larger; it is 13 mm at 600 dots an inch
COARSE = 16  # pixels: in an image no larger, lines are too coarse to differ from digits
MOST = 40  # shapes of an image in which there are lone lines
BROAD = 0.15  # of its length squared: a shape with more ink is no line
UNEVEN = 0.08  # of its length: how far the edges of a line are off at most
SOLID = 0.5  # of what lies between its edges: a line fills at least,
HAIR = 0.012  # unless it is no thicker than this share of its length, as the edge of a shadow is
LIKE = (0.5, 1.6)  # of a stroke's length: how high the digits are that it may belong to
# The thickness of a lone stroke as a share of its length: the median, and the spread of its
# logarithm. Those of 1s are 0.12 and 0.28 in MNIST, and 0.08 and 0.24 on pages that hold a small
# number alone (benchmarks.complaints, sparse); those of lines are from its kind "lone", seed 1.
ONES, LINES = (0.085, 0.35), (0.012, 0.7)
# How far a stroke bends, as a share of its length: 1s of MNIST as half of a normal distribution.
# Half of the lines are taken to be as straight, and half to bend anyhow, as hairs and brackets do.
BEND, MOST_BEND = 0.043, 0.3
# The odds of a 1 to a line, where a lone stroke is as high as this share of the image or more,
# which then is a picture of it; and on a page, on which many things may lie. They are assumed: a
# straight stroke is a line below a thickness of 0.036 of its length in a picture, and of 0.05 on a
# page. The least of the 1s that were looked at in pictures is 0.042, and 0.058 that of nine in ten
# on pages.
PICTURE = 0.25
ODDS_IN_PICTURE, ODDS_ON_PAGE = 2.0, 0.12
# The odds below which a stroke is a line without a look from near, where it is thinner: all of
# benchmarks.complaints (lone, sparse, ruled and desk, seed 11) were lines from near too.
PLAINLY = 0.1
BAND = 0.1  # of the image's sides: borders lie in a band of this width along its rim,
SPAN = 0.6  # are at least as long as this share of a side,
TOUCH = 0.025  # and lie as near to it, where they follow one side alone


def without_lone_lines(
    lines: Lines, size: tuple[int, int], is_crop: bool, from_near: Callable[[Shape], Pixels]
) -> Lines:
    """Return the lines of digits of an image without lone lines.

    Args:
        size: (height, width) of the image, in pixels of the shapes.
        is_crop: whether the image is no higher than CROP: it holds one line of digits, if any.
        from_near: returns the ink of a shape at the full size of the image.
    """
    shapes = [shape for line in lines for shape in line]
    if not 0 < len(shapes) <= MOST or max(size) <= COARSE:
        return lines
    if _is_border(shapes, size):
        return []
    strokes = [shape for shape in shapes if _may_be_line(shape)] if not is_crop else []
    others = [shape for shape in shapes if shape not in strokes]
    litter = {
        id(shape)
        for shape in strokes
        if not any(_is_like(other, shape) for other in others)
        and _is_line(shape, shape.height / size[0], from_near)
    }
    return without(lines, litter) if litter else lines


def _may_be_line(shape: Shape) -> bool:
    if np.count_nonzero(shape.ink >= CLEAR) > BROAD * max(shape.height, shape.width) ** 2:
        return False
    stroke = stroke_of(shape.ink)
    if stroke is None or stroke.uneven > UNEVEN:
        return False
    return stroke.filled >= SOLID or stroke.thick <= HAIR * stroke.length


def _is_like(other: Shape, stroke: Shape) -> bool:
    """Return whether a shape is about as high as a stroke is long."""
    length = max(stroke.height, stroke.width)
    return LIKE[0] * length <= other.height <= LIKE[1] * length


def _is_line(shape: Shape, share: float, from_near: Callable[[Shape], Pixels]) -> bool:
    """Return whether a lone stroke is a line; it is looked at from near where that is not plain."""
    if _odds_of_one(stroke_of(shape.ink), share) < PLAINLY:
        return True
    return _odds_of_one(stroke_of(from_near(shape)), share) < 1


def _odds_of_one(stroke: Stroke | None, share: float) -> float:
    """Return the odds that a lone stroke is a 1, not a line; even ones where it is no stroke.

    Args:
        share: its height as a share of the image's.
    """
    if stroke is None:
        return 1.0
    odds = ODDS_IN_PICTURE if share >= PICTURE else ODDS_ON_PAGE
    slender = float(np.log(stroke.thick / stroke.length))
    one, line = (
        _normal(slender, float(np.log(median)), spread) for median, spread in (ONES, LINES)
    )
    straight = 2 * _normal(stroke.bend, 0.0, BEND)
    return odds * one / line * straight / (straight / 2 + 1 / MOST_BEND / 2)


def _normal(value: float, mean: float, spread: float) -> float:
    """Return the density of a normal distribution, but never 0."""
    density = float(np.exp(-(((value - mean) / spread) ** 2) / 2))
    return max(density, 1e-30) / (spread * float(np.sqrt(2 * np.pi)))


def _is_border(shapes: list[Shape], size: tuple[int, int]) -> bool:
    """Return whether all ink of an image lies along its rim, at one side or more of it."""
    ink = np.zeros(size, bool)
    for shape in shapes:
        part = ink[shape.y : shape.y + shape.height, shape.x : shape.x + shape.width]
        part |= shape.ink[: len(part), : part.shape[1]] > 0
    high, wide = (1 + round(BAND * length) for length in size)
    if ink[high:-high, wide:-wide].any():
        return False
    spans = [float(ink.any(axis=axis).mean()) for axis in (0, 1)]
    if min(spans) >= SPAN:
        return True
    return max(_followed(ink), _followed(ink.T)) >= SPAN


def _followed(ink: Mask) -> float:
    """Return the share of an image's rows that have ink at the left, or at the right, rim."""
    near = max(1, round(TOUCH * ink.shape[1]))
    return max(float(part.any(axis=1).mean()) for part in (ink[:, :near], ink[:, -near:]))
