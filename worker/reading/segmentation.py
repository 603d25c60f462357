"""Digits that touch, and digits in pieces: cut where ink is thin, and let two networks judge.

A line of ink is over-segmented; what lies between two cuts, or in two neighbouring pieces, may be a
digit. The best path through these candidates is the reading: by what the recogniser says of each
alone, and the verifier of each part beside the rest of the shape that it was cut from.

Source: Oliveira, Sabourin, Bortolozzi and Suen, "Automatic recognition of handwritten numerical
strings: a recognition and verification strategy" (2002).
"""

from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from worker.arrays import Floats, Integers, Mask, Pixels, Probabilities
from worker.images.layout import DARK
from worker.images.shapes import Shape
from worker.reading.neighbours import is_sure

SIDE = 48  # cuts are looked for at this height
SIDEWAYS = 0.35  # what a step of a cut to the side costs, in pixels of ink crossed
DEAREST = 0.5  # a cut that crosses more ink than this, as a share of the height, is none
APART = 0.08  # of a digit's ink: cuts with less between them are one
MOST_CUTS = 11  # of a shape that is as wide as high
WIDEST = 2.0  # width to height of a part that may be a digit: some have a long bar or tail
MOST_PARTS = 1500  # of an image: a picture full of noise is not cut without end
CERTAIN = 0.99  # a shape that is read with this probability is not cut
WIDE = 1.0  # and so is one that is wider than this share of its height
# What a reading by other pieces must be better by: its probability counts only so much.
CUT_ALONE, JOINED = 0.06, 0.3
BROAD = 1.6  # width to height of what is no single letter, though it stands alone
CRUMB = 0.1  # of the ink of a part: pieces that are smaller are no part of its digit
NARROWEST = 0.28  # width to height of what may be two digits
# How sure a reading is counts beyond its probability, which is near 1 for many a wrong part: its
# log-odds, up to SUREST. Weighed by width, they favour neither few digits nor many.
SURENESS, SUREST = 0.025, 9.0
UNREAD = 0.05  # and "not a digit" counts this much against any reading by cuts
# The verifier's word counts half as much as the recogniser's, and what it has never seen the like
# of it may be wrong about.
VERIFIED, UNHEARD_OF = 0.5, 0.1
HOPELESS = 0.98  # a part that is no digit with this probability, by the verifier, is not read


@dataclass(eq=False)
class Candidate:
    """A shape between two nodes of a line, and how much its reading counts (a logarithm).

    within: the shape that was cut, where this is a part of it, or the whole.
    breadth: its width in heights of the line.
    probabilities, verified: what the recogniser and the verifier say, float32, shape (11,).
    """

    start: int
    end: int
    shape: Shape
    weight: float
    probabilities: Probabilities | None = None
    within: Shape | None = None
    verified: Probabilities | None = None
    breadth: float = 1.0

    @property
    def is_found(self) -> bool:
        """Tell whether the shape is one that was found, and was neither cut nor joined."""
        return self.within is self.shape

    @property
    def is_hopeless(self) -> bool:
        if self.probabilities is not None or self.verified is None:
            return False
        return float(self.verified[-1]) > HOPELESS

    @property
    def reading(self) -> Probabilities:
        """The probabilities by the recogniser, of a candidate that was read."""
        if self.probabilities is None:
            raise ValueError("expected a candidate that was read, received one that was not")
        return self.probabilities

    @property
    def score(self) -> float:
        value, other = int(self.reading[:-1].argmax()), float(self.reading[-1])
        digit = float(self.reading[value])
        if self.is_found and other >= digit:
            return float(np.log(UNREAD * other)) + self.weight
        log_odds = np.log(max(digit, 1e-9)) - np.log(max(1 - digit, 1e-9))
        doubt = (SUREST - min(float(log_odds), SUREST)) * self.breadth
        borne_out = VERIFIED * np.log(self._trust(value))
        return float(np.log(max(digit, 1e-9)) + borne_out) + self.weight - SURENESS * doubt

    def _trust(self, value: int) -> float:
        """Tell how far the verifier bears out that this is one whole digit, and of this value."""
        if self.verified is None:
            return 1.0
        whole, same = 1 - float(self.verified[-1]), float(self.verified[value])
        return (float(np.sqrt(whole * same)) + UNHEARD_OF) / (1 + UNHEARD_OF)


def candidates(line: list[Shape], read: Probabilities, most: int = MOST_PARTS) -> list[Candidate]:
    """Give what may be the digits of a line.

    Args:
        line: its shapes from left to right, as they were found.
        read: the probabilities of each shape, shape (n, 11); the last is "not a digit".
        most: about how many parts of shapes may be given at most.

    Returns:
        The shapes themselves, with their probabilities, and others that are still to be read.
    """
    digits = [is_sure(row) for row in read]
    height = float(np.median([shape.height for shape in line]))
    found: list[Candidate] = []
    node, starts = 0, []
    for shape, row in zip(line, read, strict=True):
        may_be_cut = most > 0 and _is_doubtful(shape, row)
        parts = _parts(shape, height, alone=len(line) == 1) if may_be_cut else []
        most -= len(parts)
        last = node + max((part.end for part in parts), default=1)
        for part in parts:
            part.start, part.end = node + part.start, node + part.end
        starts.append((node, last))
        found += [Candidate(node, last, shape, 0.0, row, within=shape), *parts]
        node = last
    for index in range(len(line) - 1):
        if digits[index] and digits[index + 1]:
            continue
        pair = line[index].joined(line[index + 1])
        if pair.width <= 1.25 * max(height, pair.height) and pair.height <= 1.4 * height:
            weight = float(np.log(JOINED))
            found.append(Candidate(starts[index][0], starts[index + 1][1], pair, weight))
    for one in found:
        one.breadth = one.shape.width / height
    return found


def best_path(found: list[Candidate]) -> list[Candidate]:
    """Give the candidates, from left to right, that read a line best together."""
    best: dict[int, tuple[float, list[Candidate]]] = {0: (0.0, [])}
    for candidate in sorted(found, key=lambda candidate: (candidate.start, candidate.end)):
        if candidate.start not in best:
            continue
        score, path = best[candidate.start]
        score += candidate.score
        if candidate.end not in best or score > best[candidate.end][0]:
            best[candidate.end] = score, [*path, candidate]
    return best[max(best)][1] if found else []


def _is_doubtful(shape: Shape, row: Probabilities) -> bool:
    return float(row[:-1].max()) < CERTAIN or shape.width > WIDE * shape.height


def _parts(shape: Shape, height: float, *, alone: bool) -> list[Candidate]:
    """Give the parts of a shape between any two of its cuts; the nodes count from 0."""
    if shape.width < NARROWEST * shape.height or shape.height < 8:
        return []
    # What stands alone may be a letter; in a line, it is rather several digits.
    odds = CUT_ALONE if alone and shape.width < BROAD * shape.height else 1.0
    price = float(np.log(odds)) / 2
    last, found = cut_parts(shape, height)
    # Each cut has two sides, so each side pays one half.
    parts = [
        Candidate(i, j, part, ((i > 0) + (j < last)) * price, within=shape) for i, j, part in found
    ]
    return parts if last in {part.end for part in parts} else []


def cut_parts(
    shape: Shape, height: float, most: int = MOST_CUTS
) -> tuple[int, list[tuple[int, int, Shape]]]:
    """Cut a shape in all ways.

    Args:
        shape: what may be several digits that touch.
        height: the usual height of a digit beside it.
        most: how many cuts a shape as wide as high may have.

    Returns:
        The number of its right end, where its left end is 0 and its cuts are between; and, for
        each part that may be a digit, where it starts and ends, and the part. The whole is none.
    """
    cuts = find_cuts(shape.ink, most)
    ends = [np.zeros((1, shape.height), int), cuts, np.full((1, shape.height), shape.width)]
    edges = np.concatenate(ends)
    last, column, middle = len(edges) - 1, np.arange(shape.width)[None, :], edges.mean(axis=1)
    found = []
    for i, j in combinations(range(len(edges)), 2):
        if (i, j) == (0, last) or middle[j] - middle[i] > 1.25 * WIDEST * shape.height:
            continue
        between = (column >= edges[i][:, None]) & (column < edges[j][:, None])
        part = shape.masked(between & _without_crumbs(shape.ink, between))
        if part is not None and _may_be_digit(part, shape, height):
            found.append((i, j, part))
    return last, found


def _without_crumbs(ink: Pixels, mask: Mask) -> Mask:
    """Tell what is left of a part without the bits of its neighbours that the cuts left on it."""
    own = ((ink > 24) & mask).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(own)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(areas < CRUMB * areas.max()) + 1
    return ~np.isin(labels, small)


def _may_be_digit(part: Shape, whole: Shape, height: float) -> bool:
    if part.ink.max() < DARK:
        return False
    return part.height >= 0.5 * min(height, whole.height) and part.width <= WIDEST * part.height


def find_cuts(ink: Pixels, most: int = MOST_CUTS) -> Integers:
    """Find where joined digits may be cut: the paths from top to bottom that cross least ink.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
        most: how many cuts ink as wide as high may have.

    Returns:
        int, shape (cuts, height): for each cut from left to right, the first column of each row
        that lies to its right.
    """
    height, width = ink.shape
    columns = max(4, round(width * SIDE / height))
    small = cv2.resize(ink, (columns, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    down, from_above = _descend(small)
    up, from_below = _descend(small[::-1])
    through = down + up[::-1] - small
    digit = float(small.sum()) / max(1, columns / SIDE)  # about the ink of one digit
    # The ink to the left of each column: so two cuts are compared by what lies between them.
    before = np.pad(np.cumsum(small, axis=1), ((0, 0), (1, 0)))
    rows = np.arange(SIDE)
    paths, lefts = [], [before[:, 0], before[:, -1]]
    for row, start in _passages(through):
        above = _follow(from_above, row, start)
        below = _follow(from_below, SIDE - 1 - row, start)
        path = np.array([*above[::-1], *below[1:]])
        left = before[rows, path]
        if np.abs(np.array(lefts) - left).sum(axis=1).min() >= APART * digit:
            paths.append(path)
            lefts.append(left)
        if len(paths) >= most * max(1, columns / SIDE):
            break
    if not paths:
        return np.zeros((0, height), int)
    ordered = np.array(sorted(paths, key=lambda path: float(path.mean())))
    nearest = np.minimum((np.arange(height) * SIDE) // height, SIDE - 1)
    cuts: Integers = np.rint((ordered[:, nearest] + 0.5) * (width / columns)).astype(int)
    return cuts


def _passages(through: Floats) -> list[tuple[int, int]]:
    """Give the places in some rows where a cut may pass, the cheapest first."""
    rows = [SIDE // 4, SIDE // 2, 3 * SIDE // 4]
    order = np.argsort(through[rows], axis=None, kind="stable")
    places = zip(*np.unravel_index(order, (len(rows), through.shape[1])), strict=True)
    return [(rows[r], int(c)) for r, c in places if through[rows[r], c] <= DEAREST * SIDE]


def _descend(ink: Floats) -> tuple[Floats, Integers]:
    """Give the least cost of a path from the top to each pixel, and the step that led there."""
    cost, step = np.empty_like(ink), np.zeros(ink.shape, np.int8)
    cost[0] = ink[0]
    for row in range(1, len(ink)):
        padded = np.pad(cost[row - 1], 1, constant_values=np.inf)
        ways = np.stack([padded[1:-1], padded[:-2] + SIDEWAYS, padded[2:] + SIDEWAYS])
        way = ways.argmin(axis=0)
        cost[row] = ink[row] + ways[way, np.arange(ink.shape[1])]
        step[row] = np.array([0, -1, 1])[way]
    return cost, step


def _follow(steps: Integers, row: int, column: int) -> list[int]:
    """Give the columns of the path that ends here, from this row back to the first."""
    path = [column]
    for above in range(row, 0, -1):
        column += int(steps[above, column])
        path.append(column)
    return path
