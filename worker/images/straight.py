"""Lines by hand that go through ink from left to right: thin, even strokes."""

from itertools import pairwise

import cv2
import numpy as np

from worker.arrays import Floats, Integers, Mask
from worker.images.paths import add_up_costs, follow_back, rows_near

# Tuned on pages of benchmarks.complaints with seed 1.
LONGER = 1.3  # than the digits are high: a line
OUT = 0.08  # of its length: how far a line under one digit stands out at both ends
THIN = 0.22  # of the digits' height: the thickness of a line; with 0.28, more 5s lose their bars
STRAIGHT = 0.06  # of its length: how far a line bends from straight
MOST_LINES = 12  # of a component, of one direction
OFF_INK = 0.04  # the share of a line's columns without ink
EVEN = 0.7  # the share of a line's columns that are about as thick as its median
STEEPEST = 0.36  # rows per column: some 20 degrees
# Tuned on benchmarks.complaints (ruled, seed 4).
REACHES = 0.3  # of the longest bar of a digit: how far a stem goes on below it
# A line strikes out what it goes through. Tuned on benchmarks.complaints (between, seed 1).
INNER = (0.15, 0.85)  # where it crosses what is left, from its top
ON_A_SIDE = 0.12  # what is left has this share of its ink on either side of it


def stands_out(lines: Mask, rest: Mask) -> bool:
    """Return whether lines are wider, at both ends, than the ink that they are a part of.

    The bar of a 7 is not: its stem begins at one of its ends.
    """
    across, own = np.flatnonzero(lines.any(axis=0)), np.flatnonzero(rest.any(axis=0))
    if not across.size or not own.size:
        return bool(across.size)
    least = OUT * (across[-1] - across[0])
    return bool(own[0] - across[0] >= least and across[-1] - own[-1] >= least)


def strikes_out(lines: Mask, rest: Mask) -> bool:
    """Return whether lines go through the midst of the other ink, and stand out at both ends."""
    rows = np.flatnonzero(rest.any(axis=1))
    if not rows.size or not lines.any() or not stands_out(lines, rest):
        return False
    middle = float(np.argwhere(lines)[:, 0].mean())
    if not INNER[0] <= (middle - rows[0]) / len(rest[rows[0] : rows[-1] + 1]) <= INNER[1]:
        return False
    above = rest[: round(middle)].sum() / rest.sum()
    return bool(ON_A_SIDE <= above <= 1 - ON_A_SIDE)


def lines_in(mask: Mask, least: float, thin: float = THIN, bar: float = 0.0) -> Mask:
    """Return the lines that go through a component from left to right, so many pixels at least.

    They are at most as thick as a share `thin` of the digits' height. What is the bar of a digit,
    too, stays with it: see `_bars`, for bars up to so many pixels.
    """
    lines = each_line_in(mask, least, thin)
    found: Mask = np.logical_or.reduce([np.zeros(mask.shape, bool), *lines])
    for line in lines if bar else []:
        found &= ~_bars(mask & (line | ~found), line, bar)
    return found


def each_line_in(mask: Mask, least: float, thin: float = THIN) -> list[Mask]:
    """Return each of the lines that `lines_in` finds, MOST_LINES of them at most."""
    found: list[Mask] = []
    rest = mask
    while len(found) < MOST_LINES and (line := _line_across(rest, least, thin)) is not None:
        found.append(line)
        rest = rest & ~line
    return found


def _line_across(mask: Mask, least: float, most: float) -> Mask | None:
    """Return the line that goes through ink from left to right, if there is one.

    Args:
        mask: bool, shape (height, width): where the ink is.
        least: how long it is at least, in pixels.
        most: how thick it is at most, as a share of the height of digits, which is least / LONGER.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    if not columns.size or columns[-1] - columns[0] < least:
        return None
    left, right = int(columns[0]), int(columns[-1]) + 1
    part = mask[:, left:right]
    path = _path(part)
    across = np.arange(part.shape[1])
    on_ink = part[path, across]
    if on_ink.mean() < 1 - OFF_INK:
        return None
    top, bottom = _runs(part, path)
    thick = bottom - top
    usual = float(np.median(thick[on_ink]))
    if usual > max(3.0, most * least / LONGER) or part.shape[1] < 6 * usual:
        return None
    thin = on_ink & (thick <= 1.6 * usual + 1)
    if thin.mean() < 1 - EVEN:
        return None
    middle = _curve(across, (top + bottom - 1) / 2, thin, part.shape[1])
    straight = np.polyfit(across[thin], ((top + bottom - 1) / 2)[thin], 1)
    bend = np.abs(np.polyval(straight, across) - middle).max()
    if abs(straight[0]) > STEEPEST or bend > max(usual, STRAIGHT * part.shape[1]):
        return None
    near = np.abs((top + bottom - 1) / 2 - middle) <= usual + 1
    if (near & thin).mean() < EVEN * 0.6:
        return None
    whole = np.zeros(mask.shape, bool)
    whole[:, left:right] = _own(part, middle, usual)
    return whole


def _path(part: Mask) -> Integers:
    """Return the row of each column on the path from left to right that leaves the ink least."""
    costs = np.ascontiguousarray(~part.T, np.float32)[:, None]
    steps = add_up_costs(costs)[:, 0]
    end = costs[-1, 0].argmin(keepdims=True)
    return follow_back(steps, len(steps) - 1, end)[0, ::-1]


def _runs(part: Mask, path: Integers) -> tuple[Integers, Integers]:
    """Return where the ink at each place of a path begins and ends in its column."""
    height, width = part.shape
    columns = np.arange(width)
    rows = np.arange(height)[:, None]
    above = np.where(~part & (rows < path), rows + 1, 0).max(axis=0)
    below = np.where(~part & (rows > path), rows, height).min(axis=0)
    empty = ~part[path, columns]
    return np.where(empty, path, above), np.where(empty, path, below)


class _Side:
    """The ink on one side of a line, and where it touches the line."""

    def __init__(self, ink: Mask, nearest: Integers, away: int) -> None:
        """Find its components.

        Args:
            ink: bool, shape (height, width).
            nearest: the row beside the line, in each column.
            away: 1 where rows farther from the line are lower, or -1.
        """
        _, labels, self._stats, _ = cv2.connectedComponentsWithStats(ink.view(np.uint8))
        columns = np.arange(ink.shape[1])
        two = [np.clip(nearest + away * one, 0, len(ink) - 1) for one in (0, 1)]
        self._at_line = np.maximum(*(labels[rows, columns] for rows in two))
        is_there = np.pad((self._at_line > 0).view(np.int8), 1)
        starts, stops = (np.flatnonzero(np.diff(is_there) == one) for one in (1, -1))
        self.touching = [slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]

    def component(self, columns: slice) -> int:
        """Return the number of the component that touches the line there; 0 for none."""
        near = self._at_line[max(0, columns.start - 1) : columns.stop + 1]
        return int(near.max(initial=0))

    def height(self, columns: slice) -> int:
        """Return how high that component is, in pixels."""
        number = self.component(columns)
        return int(self._stats[number, cv2.CC_STAT_HEIGHT]) if number else 0


def _bars(mask: Mask, line: Mask, most: float) -> Mask:
    """Return the parts of a line that are strokes of digits, too: bool, of the shape of the mask.

    Such a part closes a loop above or below the line, as of a 9 or a 6, or it joins a stroke that
    ends at the line to one that goes through it, as in a 4.

    Args:
        mask: bool, shape (height, width): the ink.
        line: of the same shape: a line that goes through it.
        most: pixels from the left to the right end of such a part, at most.
    """
    bars = np.zeros(mask.shape, bool)
    columns = np.flatnonzero(line.any(axis=0))
    if not columns.size:
        return bars
    rows, across = np.arange(len(mask))[:, None], np.arange(mask.shape[1])
    firsts, lasts = line.argmax(axis=0), len(line) - 1 - line[::-1].argmax(axis=0)
    top, bottom = (
        np.rint(np.interp(across, columns, ends[columns])).astype(int) for ends in (firsts, lasts)
    )
    above = _Side(mask & (rows < top), top - 1, -1)
    below = _Side(mask & (rows > bottom), bottom + 1, 1)
    for one, other in ((above, below), (below, above)):
        for left, right in pairwise(one.touching):
            if right.start - left.stop > most:
                continue
            goes_on = [bool(other.component(left)), bool(other.component(right))]
            closes = one.component(left) == one.component(right) and not all(goes_on)
            ends_there = one is above and goes_on == [False, True]
            if closes or (ends_there and below.height(right) >= REACHES * most):
                bars[:, left.start : right.stop] = True
    return bars & line


def _curve(across: Integers, middle: Floats, thin: Mask, width: int) -> Floats:
    """Fit a gentle curve to the middle of a line, without what lies far off it."""
    use = thin.copy()
    curve: Floats = np.zeros(len(across))
    for _ in range(4):
        degree = 5 if use.sum() > 60 else 3 if use.sum() > 20 else 1
        curve = np.polyval(np.polyfit(across[use] / width, middle[use], degree), across / width)
        distance = np.abs(middle - curve)
        spread = max(0.7, 1.4826 * float(np.median(distance[use])))
        use = thin & (distance <= 3 * spread)
    return curve


def _own(part: Mask, middle: Floats, usual: float) -> Mask:
    """Return the pixels of a line; where a stroke crosses it, they belong to the stroke."""
    half = usual / 2 + 1
    band, distances = rows_near(middle, half + 2, len(part))
    rows, ink = np.arange(band.start, band.stop)[:, None], part[band]
    above = ink & (rows < middle - half) & (rows >= middle - half - 2)
    below = ink & (rows > middle + half) & (rows <= middle + half + 2)
    crossed = above.any(axis=0) & below.any(axis=0)
    own = np.zeros(part.shape, bool)
    own[band] = ink & (distances <= half) & ~crossed
    return own
