"""Digits that touch, and digits in pieces: cut where ink is thin, and let the recogniser judge.

A line of ink is over-segmented; what lies between two cuts, or in two neighbouring pieces, may be a
digit. The best path through these candidates, by what the recogniser says of each, is the reading.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.company import is_sure

SIDE = 48  # cuts are looked for at this height
SIDEWAYS = 0.35  # what a step of a cut to the side costs, in pixels of ink crossed
DEAREST = 0.5  # a cut that crosses more ink than this, as a share of the height, is none
APART = 0.1  # of the height: cuts that lie nearer to each other are one
MOST_PARTS = 1500  # of an image: a picture full of noise is not cut without end
WIDE = 1.2  # and so is one that is wider than this share of its height
# What a reading by other pieces must be better by: its probability counts only so much.
CUT_ALONE, CUT_IN_LINE, JOINED = 0.2, 1.0, 0.3
BROAD = 1.6  # width to height of what is no single letter either
CRUMB = 0.1  # of the ink of a part: pieces that are smaller are no part of its digit
STRESS = 2  # how much the doubt about a part counts more than that about a whole
NARROWEST_ALONE, NARROWEST_IN_LINE = 1.1, 0.5  # width to height of what may be two digits
UNREAD = 0.15  # and "not a digit" counts this much against any reading by cuts


@dataclass(eq=False)
class Shape:
    """Ink that may be a digit.

    x, y: its left upper corner in the image.
    ink: uint8, shape (height, width), of this shape alone; 0 is paper.
    """

    x: int
    y: int
    ink: np.ndarray

    @property
    def height(self) -> int:
        return self.ink.shape[0]

    @property
    def width(self) -> int:
        return self.ink.shape[1]

    def joined(self, other: "Shape") -> "Shape":
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        ink = np.zeros((bottom - y, right - x), np.uint8)
        for shape in (self, other):
            rows = slice(shape.y - y, shape.y - y + shape.height)
            columns = slice(shape.x - x, shape.x - x + shape.width)
            np.maximum(ink[rows, columns], shape.ink, out=ink[rows, columns])
        return Shape(x, y, ink)

    def masked(self, mask: np.ndarray) -> "Shape | None":
        """Give the part of it where mask is true; None where there is no ink."""
        ink = np.where(mask, self.ink, 0).astype(np.uint8)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if not rows.size:
            return None
        part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Shape(self.x + int(columns[0]), self.y + int(rows[0]), part)


@dataclass(eq=False)
class Candidate:
    """A shape between two nodes of a line, and how much its reading counts (a logarithm)."""

    start: int
    end: int
    shape: Shape
    weight: float
    probabilities: np.ndarray | None = None
    whole: bool = False

    @property
    def score(self) -> float:
        digit = float(self.probabilities[:-1].max())
        if self.whole:
            digit = max(digit, UNREAD * float(self.probabilities[-1]))
        stress = 1 if self.whole else STRESS
        return stress * float(np.log(max(digit, 1e-9))) + self.weight


def candidates(line: list[Shape], read: np.ndarray, most: int = MOST_PARTS) -> list[Candidate]:
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
    found, node, starts = [], 0, []
    for index, (shape, row) in enumerate(zip(line, read, strict=True)):
        others = sum(digits) - digits[index]
        may_be_cut = most > 0 and _is_doubtful(shape, row)
        parts = _parts(shape, height, others) if may_be_cut else []
        most -= len(parts)
        last = node + max((part.end for part in parts), default=1)
        for part in parts:
            part.start, part.end = node + part.start, node + part.end
        starts.append((node, last))
        found += [Candidate(node, last, shape, 0.0, row, whole=True), *parts]
        node = last
    for index in range(len(line) - 1):
        if digits[index] and digits[index + 1]:
            continue
        pair = line[index].joined(line[index + 1])
        if pair.width <= 1.25 * max(height, pair.height) and pair.height <= 1.4 * height:
            weight = float(np.log(JOINED))
            found.append(Candidate(starts[index][0], starts[index + 1][1], pair, weight))
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


def _is_doubtful(shape: Shape, row: np.ndarray) -> bool:
    return not is_sure(row) or shape.width > WIDE * shape.height


def _parts(shape: Shape, height: float, others: int) -> list[Candidate]:
    """Give the parts of a shape between any two of its cuts; the nodes count from 0."""
    # A wide shape alone may be a letter; among digits, it is rather two of them.
    narrowest = NARROWEST_IN_LINE if others else NARROWEST_ALONE
    if shape.width < narrowest * shape.height or shape.height < 8:
        return []
    cuts = find_cuts(shape.ink)
    if not len(cuts):
        return []
    edges = np.concatenate(
        [
            np.zeros((1, shape.height), int),
            cuts,
            np.full((1, shape.height), shape.width),
        ]
    )
    column = np.arange(shape.width)[None, :]
    several = others or shape.width >= BROAD * shape.height
    price = float(np.log(CUT_IN_LINE if several else CUT_ALONE)) / 2
    parts = []
    for i in range(len(edges) - 1):
        for j in range(i + 1, len(edges)):
            if (i, j) == (0, len(edges) - 1):
                continue
            between = (column >= edges[i][:, None]) & (column < edges[j][:, None])
            part = shape.masked(between & _without_crumbs(shape.ink, between))
            if part is None or not _may_be_digit(part, shape, height):
                continue
            # Each cut has two sides, so each side pays one half.
            sides = (i > 0) + (j < len(edges) - 1)
            parts.append(Candidate(i, j, part, sides * price))
    reached = {part.end for part in parts}
    return parts if len(edges) - 1 in reached else []


def _without_crumbs(ink: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Tell what is left of a part without the bits of its neighbours that the cuts left on it."""
    own = ((ink > 24) & mask).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(own)
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(areas < CRUMB * areas.max()) + 1
    return ~np.isin(labels, small)


def _may_be_digit(part: Shape, whole: Shape, height: float) -> bool:
    return part.height >= 0.5 * min(height, whole.height) and part.width <= 1.3 * part.height


def find_cuts(ink: np.ndarray) -> np.ndarray:
    """Find where joined digits may be cut: the paths from top to bottom that cross least ink.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.

    Returns:
        int, shape (cuts, height): for each cut from left to right, the first column of each row
        that lies to its right.
    """
    height, width = ink.shape
    columns = max(4, round(width * SIDE / height))
    small = cv2.resize(ink, (columns, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    down, from_above = _descend(small)
    up, from_below = _descend(small[::-1])
    middle = SIDE // 2
    through = down[middle] + up[SIDE - 1 - middle] - small[middle]
    chosen: list[int] = []
    for column in np.argsort(through, kind="stable"):
        if through[column] > DEAREST * SIDE:
            break
        inside = APART * SIDE <= column <= columns - 1 - APART * SIDE
        if inside and all(abs(column - other) >= APART * SIDE for other in chosen):
            chosen.append(int(column))
    if not chosen:
        return np.zeros((0, height), int)
    paths = []
    for column in sorted(chosen):
        above = _follow(from_above, middle, column)
        below = _follow(from_below, SIDE - 1 - middle, column)
        paths.append([*above[::-1], *below[1:]])
    rows = np.minimum((np.arange(height) * SIDE) // height, SIDE - 1)
    return np.rint((np.array(paths)[:, rows] + 0.5) * (width / columns)).astype(int)


def _descend(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _follow(steps: np.ndarray, row: int, column: int) -> list[int]:
    """Give the columns of the path that ends here, from this row back to the first."""
    path = [column]
    for above in range(row, 0, -1):
        column += int(steps[above, column])
        path.append(column)
    return path
