"""Digits that touch, and digits in pieces: over-segmentation, recognition and verification.

A line of ink is cut where ink is thin. The ink between two cuts, or of two neighbouring pieces, is
a candidate for a digit. The best path through the candidates is the reading. The recogniser scores
each candidate alone, and the verifier scores each part in the context of the shape it was cut from.

Source: Oliveira, Sabourin, Bortolozzi and Suen, "Automatic recognition of handwritten numerical
strings: a recognition and verification strategy" (2002).
"""

from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from worker.arrays import Floats, Integers, Mask, Pixels, Probabilities
from worker.images.paths import add_up_costs, follow_back
from worker.images.pieces import DARK
from worker.images.shapes import Shape
from worker.reading.doodles import as_not_a_digit, is_doodle
from worker.reading.neighbours import is_sure

# The constants below were set while generated pages, letters and noise (benchmarks.collections with
# seed 1) were looked at. docs/decisions/segmentation-constants.md holds what is known of each, and
# the values that were replaced.

# How cuts are found. The first three have their first values.
SIDE = 48  # rows of the image in which cuts are searched
MOST_COST = 0.5  # of a cut: the ink that it crosses, as a share of the height
APART = 0.08  # of a digit's ink: cuts with less ink between them count as one
MOST_CUTS = 11  # of a shape that is as wide as high; 9 before the verifier

# Which shapes are cut, and which parts are kept.
CERTAIN = 0.99  # a shape that is read with this probability is not cut,
WIDE = 1.0  # unless it is wider than this share of its height; 0.9 and 1.2 before
NARROWEST = 0.28  # width to height of a shape that may be two digits; 0.5 to 1.1 before
WIDEST = 2.0  # width to height of a part that may be a digit, as some have a long bar or tail
FRAGMENT = 0.1  # of a part's ink: smaller pieces are fragments of its neighbours
MOST_PARTS = 600  # of an image, so that the time for a picture full of noise is bounded
# Of the cuts of a shape: 15 digits that all touch have fewer. A band of 800 x 10 pixels had 10,800,
# and took five seconds.
MOST_PAIRS = 4000
# Width to height of a shape that may be cut: 15 digits that all touch have at most 15. The time
# for the search grows with its square; a few rules across a photo took seven seconds.
LONGEST = 30.0

# How much a reading by other pieces counts: factors of its probability.
CUT_ALONE = 0.06  # for each cut of a shape that stands alone (a letter?); 0.1 and 0.2 before
BROAD = 1.6  # width to height from which a shape that stands alone is not a single letter
JOINED = 0.3  # for each joining of two neighbours
UNREAD = 0.05  # for the whole shape as "not a digit"; 0.003 and 0.15 before

# The log-odds of a reading count too, up to SUREST, as the probability of many a wrong part is near
# 1. Weighted by width, they favour neither few digits nor many.
SURENESS, SUREST = 0.025, 9.0

# The verifier counts half as much as the recogniser. Its factor is never below about TRUST_FLOOR,
# because it may be wrong about shapes unlike those that it was trained on.
VERIFIED, TRUST_FLOOR = 0.5, 0.1
REJECTED = 0.98  # parts that the verifier calls "not a digit" with more than this are not read


@dataclass(eq=False)
class Candidate:
    """A shape between two nodes of a line, and how much its reading counts (a logarithm).

    within: the shape that was cut, where this is a part of it, or the whole.
    breadth: its width in heights of the line.
    probabilities, verified: by the recogniser and by the verifier, float32, shape (11,).
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
        """Whether the shape was found as it is, neither cut nor joined."""
        return self.within is self.shape

    @property
    def is_rejected(self) -> bool:
        """Whether the verifier rejects a part that was not read yet."""
        if self.probabilities is not None or self.verified is None:
            return False
        return float(self.verified[-1]) > REJECTED

    @property
    def reading(self) -> Probabilities:
        """The probabilities by the recogniser, of a candidate that was read."""
        if self.probabilities is None:
            raise ValueError("expected a candidate that was read, received one that was not")
        return self.probabilities

    @property
    def score(self) -> float:
        """How much the candidate adds to the score of a path: a logarithm."""
        value, other = int(self.reading[:-1].argmax()), float(self.reading[-1])
        digit = float(self.reading[value])
        if self.is_found and other >= digit:
            return float(np.log(UNREAD * other)) + self.weight
        log_odds = np.log(max(digit, 1e-9)) - np.log(max(1 - digit, 1e-9))
        doubt = (SUREST - min(float(log_odds), SUREST)) * self.breadth
        trust = VERIFIED * np.log(self._trust(value))
        return float(np.log(max(digit, 1e-9)) + trust) + self.weight - SURENESS * doubt

    def _trust(self, value: int) -> float:
        """Return how far the verifier agrees with this value, as one whole digit: up to 1."""
        if self.verified is None:
            return 1.0
        whole, same = 1 - float(self.verified[-1]), float(self.verified[value])
        return (float(np.sqrt(whole * same)) + TRUST_FLOOR) / (1 + TRUST_FLOOR)


def candidates(
    line: list[Shape],
    read: Probabilities,
    most: int = MOST_PARTS,
    most_of_one: int = MOST_PAIRS,
) -> list[Candidate]:
    """Return the candidates for the digits of a line.

    Args:
        line: its shapes from left to right, as they were found.
        read: the probabilities of each shape, shape (n, 11); the last is "not a digit".
        most: about how many parts of shapes may be given at most.
        most_of_one: a shape with more parts is not cut.

    Returns:
        The shapes themselves, with their probabilities, and others that are still to be read.
    """
    doodles = [is_doodle(shape) for shape in line]
    digits = [is_sure(row) for row in read]
    height = float(median(shape.height for shape in line))
    found: list[Candidate] = []
    node, starts = 0, []
    for shape, own, doodle in zip(line, read, doodles, strict=True):
        row = as_not_a_digit(own) if doodle else own
        alone = len(line) == 1 and shape.width < BROAD * shape.height
        may_be_cut = most > 0 and not doodle and _is_doubtful(shape, row)
        may_be_cut = may_be_cut and not shape.is_struck_out
        may_be_cut = may_be_cut and not (alone and _is_beyond_cuts(shape, row))
        parts = _parts(shape, height, most_of_one, alone=alone) if may_be_cut else []
        most -= len(parts)
        last = node + max((part.end for part in parts), default=1)
        for part in parts:
            part.start, part.end = node + part.start, node + part.end
        starts.append((node, last))
        found += [Candidate(node, last, shape, 0.0, row, within=shape), *parts]
        node = last
    for index in range(len(line) - 1):
        if (digits[index] and digits[index + 1]) or any(doodles[index : index + 2]):
            continue
        if line[index].is_struck_out or line[index + 1].is_struck_out:
            continue
        pair = line[index].joined(line[index + 1])
        if pair.width <= 1.25 * max(height, pair.height) and pair.height <= 1.4 * height:
            weight = float(np.log(JOINED))
            found.append(Candidate(starts[index][0], starts[index + 1][1], pair, weight))
    for one in found:
        one.breadth = one.shape.width / height
    return found


def best_path(found: list[Candidate]) -> list[Candidate]:
    """Return the candidates of the path with the best score, from left to right."""
    if len(found) == 1:
        return found
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


def _is_beyond_cuts(shape: Shape, row: Probabilities) -> bool:
    """Return whether a shape that stands alone scores more than any of its parts together could.

    Two parts that were read and verified beyond doubt would score the price of one cut.
    """
    digit, other = float(row[:-1].max()), float(row[-1])
    if digit <= other:
        return False
    rejected = np.array([*np.zeros(len(row) - 1), 1.0], np.float32)
    worst = Candidate(0, 1, shape, 0.0, row, within=shape, verified=rejected)
    worst.breadth = shape.width / shape.height
    return worst.score > float(np.log(CUT_ALONE))


def _parts(shape: Shape, height: float, most: int, *, alone: bool) -> list[Candidate]:
    """Return the parts of a shape between any two of its cuts; the nodes count from 0.

    most: a shape with more parts has none.
    """
    if shape.width < NARROWEST * shape.height or shape.height < 8:
        return []
    # A shape that stands alone may be a letter; in a line, several digits are more likely.
    odds = CUT_ALONE if alone else 1.0
    price = float(np.log(odds)) / 2
    last, found = cut_parts(shape, height, most_parts=most)
    # Each cut has two sides, so each side pays one half.
    parts = [
        Candidate(i, j, part, ((i > 0) + (j < last)) * price, within=shape) for i, j, part in found
    ]
    return parts if last in {part.end for part in parts} else []


def cut_parts(
    shape: Shape, height: float, most: int = MOST_CUTS, most_parts: int = MOST_PAIRS
) -> tuple[int, list[tuple[int, int, Shape]]]:
    """Cut a shape at every pair of its cuts.

    Args:
        shape: ink that may be several digits that touch.
        height: the usual height of a digit beside it.
        most: how many cuts a shape as wide as high may have.
        most_parts: a shape with more parts is not cut.

    Returns:
        The number of its right end, where its left end is 0 and its cuts are between; and, for
        each part that may be a digit, where it starts and ends, and the part. The whole shape is
        not among them.
    """
    if shape.width > LONGEST * shape.height:
        return 1, []
    cuts = find_cuts(shape.ink, most)
    ends = [np.zeros((1, shape.height), int), cuts, np.full((1, shape.height), shape.width)]
    edges = np.concatenate(ends)
    last, middle = len(edges) - 1, edges.mean(axis=1)
    found = []
    # Where there are hundreds of pairs, two in three or more give a part, in noise too.
    most_pairs = min(MOST_PAIRS, 2 * most_parts)
    for i, j in _near_pairs(middle, 1.25 * WIDEST * shape.height, most_pairs):
        left, right = int(edges[i].min()), int(edges[j].max())
        if (i, j) == (0, last) or left >= right:
            continue
        column, within = np.arange(left, right)[None, :], shape.columns(left, right)
        between = (column >= edges[i][:, None]) & (column < edges[j][:, None])
        part = within.masked(between & _without_fragments(within.ink, between))
        if part is not None and _may_be_digit(part, shape, height):
            found.append((i, j, part))
            if len(found) > most_parts:
                return 1, []
    return last, found


def _near_pairs(middle: Floats, most_apart: float, most: int) -> list[tuple[int, int]]:
    """Return the pairs of edges that are no farther apart; none where there are more than most."""
    pairs = np.argwhere(np.triu(middle[None, :] - middle[:, None] <= most_apart, 1))
    return [(int(i), int(j)) for i, j in pairs] if len(pairs) <= most else []


def _without_fragments(ink: Pixels, mask: Mask) -> Mask:
    """Return the mask of a part without the fragments of neighbours that the cuts left on it."""
    own = ((ink > 24) & mask).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(own)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(areas < FRAGMENT * areas.max()) + 1
    return ~np.isin(labels, small)


def _may_be_digit(part: Shape, whole: Shape, height: float) -> bool:
    if part.ink.max() < DARK:
        return False
    return part.height >= 0.5 * min(height, whole.height) and part.width <= WIDEST * part.height


def find_cuts(ink: Pixels, most: int = MOST_CUTS) -> Integers:
    """Find where joined digits may be cut: the paths from top to bottom that cross the least ink.

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
    costs = np.stack([small, small[::-1]], axis=1)
    steps = add_up_costs(costs)
    through = costs[:, 0] + costs[::-1, 1] - small
    digit = float(small.sum()) / max(1, columns / SIDE)  # about the ink of one digit
    # The ink to the left of each column: the difference of two cuts is the ink between them.
    before = np.pad(np.cumsum(small, axis=1), ((0, 0), (1, 0)))
    paths = _paths(steps, _crossings(through))
    lefts = before[np.arange(SIDE), paths]
    apart = np.minimum(*(np.abs(lefts - before[:, edge]).sum(axis=1) for edge in (0, -1)))
    chosen: list[int] = []
    for index in range(len(paths)):
        if apart[index] >= APART * digit:
            chosen.append(index)
            apart = np.minimum(apart, np.abs(lefts - lefts[index]).sum(axis=1))
        if len(chosen) >= most * max(1, columns / SIDE):
            break
    if not chosen:
        return np.zeros((0, height), int)
    ordered = np.array(sorted(paths[chosen], key=lambda path: float(path.mean())))
    nearest = np.minimum((np.arange(height) * SIDE) // height, SIDE - 1)
    cuts: Integers = np.rint((ordered[:, nearest] + 0.5) * (width / columns)).astype(int)
    return cuts


def _crossings(through: Floats) -> list[tuple[int, int]]:
    """Return where cuts may cross a quarter, half and three quarters of the height, by cost."""
    rows = [SIDE // 4, SIDE // 2, 3 * SIDE // 4]
    order = np.argsort(through[rows], axis=None, kind="stable")
    places = zip(*np.unravel_index(order, (len(rows), through.shape[1])), strict=True)
    return [(rows[r], int(c)) for r, c in places if through[rows[r], c] <= MOST_COST * SIDE]


def _paths(steps: Integers, crossings: list[tuple[int, int]]) -> Integers:
    """Return the cheapest path from top to bottom through each crossing: int, shape (n, height).

    Args:
        steps: of the image and, second, of the image upside down, as add_up_costs returns them.
        crossings: row and column of each.
    """
    height = len(steps)
    paths = np.zeros((len(crossings), height), int)
    rows, columns = np.array(crossings, int).reshape(-1, 2).T
    for row in np.unique(rows):
        here = rows == row
        paths[here, : row + 1] = follow_back(steps[:, 0], row, columns[here])[:, ::-1]
        paths[here, row:] = follow_back(steps[:, 1], height - 1 - row, columns[here])
    return paths
