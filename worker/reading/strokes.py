"""Bare strokes: whether one is a 1 or a line, its pixels cannot tell, but where it stands can.

The model saw bare strokes both as 1s and as "not a digit". Bayes' rule: the two are as likely to
look so, and the odds are those of the kind of image. Of MNIST's training set, 69 % of the 1s are
bare strokes as they are measured here, and 0.06 % of the other digits; where those are read beyond
doubt, they stay.
"""

import numpy as np

from worker.arrays import Probabilities
from worker.images.finding import BOX, Glyph
from worker.images.lone_lines import CROP
from worker.images.strokes import stroke_of
from worker.reading.neighbours import is_sure

SLENDER = 0.2  # of its length: a bare stroke is at most so thick,
UNEVEN = 0.045  # its edges are off at most so far,
FILLED = 0.85  # it fills at least so much of what lies between them,
FINE = 1.5  # unless it is thinner than so many of 28 pixels, and can have no hole,
BEND = 0.06  # it bends at most so far, as three of four 1s of MNIST do,
LEAN = (-20.0, 45.0)  # and leans so many degrees to the right
STEP = 0.6  # of a pixel of the image: how far the edges of a stroke are off by its pixels alone
# Of crops of one digit, 11 % hold a 1 (in MNIST). How many hold a line that stands as a digit does,
# and not along the rim, no collection tells: one in a thousand is assumed.
ONE_IN_CROP = 0.11 / (0.11 + 0.001)
HIGH = 0.3  # of a crop: the height of the digit that it was cut out around, at least
BESIDE = 0.5  # of that digit: how large what lies beside it may be


def adjust_for_strokes(
    lines: list[Probabilities], glyphs: list[list[Glyph]], size: tuple[int, int]
) -> list[Probabilities]:
    """Raise the probability of a 1 where a bare stroke stands alone in a crop of one character.

    Args:
        lines: for each line the probabilities, float32, shape (n, 11); the last is "not a digit".
        glyphs: the shapes that these are of.
        size: (width, height) of the image, in pixels.

    Returns:
        As given, each row summing to 1.
    """
    place = _alone(glyphs, size)
    if place is None:
        return lines
    number, column = place
    row = lines[number][column]
    if is_sure(row) or not _is_bare(glyphs[number][column]):
        return lines
    adjusted = [np.array(line) for line in lines]
    adjusted[number][column] = _as_one(row)
    return adjusted


def _alone(glyphs: list[list[Glyph]], size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the line and place of the one character that an image was cut out around, if any."""
    if not glyphs or not 0 < max(size) <= CROP:
        return None
    sides = {
        (number, column): max(glyph.box[2:])
        for number, line in enumerate(glyphs)
        for column, glyph in enumerate(line)
    }
    (place, side), *others = sorted(sides.items(), key=lambda item: -item[1])
    is_high = glyphs[place[0]][place[1]].box[3] >= HIGH * size[1]
    return place if is_high and all(other < BESIDE * side for _, other in others) else None


def _is_bare(glyph: Glyph) -> bool:
    """Return whether a shape is one stroke that is straight, or nearly so, and leans as 1s do."""
    stroke = stroke_of(glyph.pixels)
    if stroke is None:
        return False
    # In those of the shape, how much larger a pixel of a small image is.
    step = STEP * max(0.0, BOX / max(glyph.box[2:]) - 1)
    return (
        stroke.thick - step <= SLENDER * stroke.length
        and stroke.uneven <= UNEVEN + step / stroke.length
        and (stroke.filled >= FILLED or stroke.thick <= FINE)
        and stroke.bend <= BEND
        and LEAN[0] <= stroke.lean <= LEAN[1]
    )


def _as_one(row: Probabilities) -> Probabilities:
    """Return a row with the probability of a 1 in a crop."""
    others = np.where(np.arange(len(row)) == 1, 0, row)
    adjusted: Probabilities = others * np.float32((1 - ONE_IN_CROP) / float(others.sum()))
    adjusted[1] = ONE_IN_CROP
    return adjusted
