"""Adjust probabilities by their neighbours: digits stand among digits, dirt among dirt."""

import numpy as np

from worker.arrays import Probabilities

# The version history does not show what these were set on; the one other value that it holds is
# 0.08 for EXPECTED.
SURE = 0.9  # a digit that is read with this probability counts as sure
AMONG_DIGITS = 0.15  # factor of "not a digit" in a line with sure digits
FEWEST = 3  # shapes that are not digits, before their share counts
EXPECTED = 0.15  # the usual share of shapes in people's images that are not digits
STRENGTH = 4  # how many shapes that prior share is worth
TINY = 16  # pixels: an image with no longer side was cut out around one character by a program
IN_TINY = 0.05  # factor of "not a digit" in such an image, which lacks pixels


def is_sure(row: Probabilities) -> bool:
    """Return whether the probability of a digit is at least SURE."""
    return float(row[:-1].max()) >= SURE


def adjust_for_neighbours(lines: list[Probabilities], side: int) -> list[Probabilities]:
    """Adjust the probability of "not a digit" by the other shapes of the image.

    In a line with sure digits, at least as many as shapes that are not digits, it is lowered. In
    other lines it is raised where most shapes of the image are not digits, in proportion to their
    share. In a tiny image, strokes are as broad as the gaps between them, so that a digit looks
    like a stain: there it is lowered.

    Args:
        lines: for each line the probabilities, float32, shape (n, 11); the last is "not a digit".
        side: the longer side of the image, in pixels.

    Returns:
        As given, each row summing to 1.
    """
    others = sum(map(_count_of_others, lines))
    total = sum(map(len, lines))
    rest = _odds_of_dirt(others, total) if others >= FEWEST and others > total / 2 else 1.0
    rest *= IN_TINY if side <= TINY else 1.0
    return [_scaled(line, AMONG_DIGITS if _holds_digits(line) else rest) for line in lines]


def _holds_digits(line: Probabilities) -> bool:
    if len(line) == 1:
        return False
    sure = sum(map(is_sure, line))
    return 0 < sure >= _count_of_others(line)


def _count_of_others(line: Probabilities) -> int:
    """Return how many shapes of a line are not digits."""
    return int(np.count_nonzero(line[:, -1] >= 0.5))


def _odds_of_dirt(others: int, total: int) -> float:
    """Return the odds that a shape is not a digit, relative to the usual odds."""
    share = (others + STRENGTH * EXPECTED) / (total + STRENGTH)
    return share / (1 - share) * (1 - EXPECTED) / EXPECTED


def _scaled(line: Probabilities, factor: float) -> Probabilities:
    scaled: Probabilities = np.array(line)
    scaled[:, -1] *= factor
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled
