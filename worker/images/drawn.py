"""What is drawn around and under digits, and is none: lines by hand, rings, boxes.

An outline is ink that encloses other ink. A line is a thin, even stroke that is wider than a digit.
Both are taken out of the ink; where a digit touches them, its own ink stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from worker.arrays import Integers, Mask, Pixels
from worker.images.paper import without
from worker.images.pieces import Piece, components
from worker.images.straight import (
    LONGER,
    MOST_LINES,
    each_line_in,
    lines_in,
    stands_out,
    strikes_out,
)

# Tuned on pages of benchmarks.complaints with seed 1.
LEAST_SIDE = 48  # pixels of an image in which lines and outlines are looked for
MOST_LOOKED_AT = 40  # components of an image, the largest
CLOSED = 0.14  # of an outline's side: a gap this wide does not open it
WIDE_GAP = 32  # pixels: to close wider ones by a disc takes longer than by distances
NEARLY_CLOSED = 0.03  # the same, of an outline that touches all it holds
TOUCHING = 0.4  # of an outline's height: what touches it is at least so high
IN_ROW = 0.25  # of the height of the rows of a table: what touches its rules is at least so high,
MOST_IN_ROW = 1.3  # and at most: what is higher is a rule
SQUARED = 6  # rules both ways: squared paper, not a table
AS_DARK = 0.6  # of the ink of strokes: the rules of a table that fills the image
ENCLOSED = 0.22  # of an outline's height: what it holds is at least so high
LEAST_INK = 12  # pixels of a digit that it holds have more
HELD = 0.9  # of what is enclosed that lies within
BAR = 0.2  # width to length of a stroke across a ring,
ACROSS = 0.6  # which is as long as this share of its longer side
FILLED = 0.6  # of its box: what an outline goes round,
STROKE_SHARE = 0.72  # of which this share is ink at most
DEEP = 0.2  # of an outline's shorter side: how far ink within it reaches in from the outside
SEPARATE = 0.3  # of the contrast of an outline: how far what it holds is from it
SPANNED = 0.9  # of the image: what is as wide and as high is squared paper
SMALLEST = 20  # pixels of the longer side of what is looked at
LONGEST_DIGIT = 2.2  # than the digits are high: what no single digit is wide
THICK = 0.35  # the same, of a line that touches nothing,
ALL = 0.95  # the share of its component that it is
# Tuned on benchmarks.complaints (ruled, seed 4).
BAR_OF_DIGIT = 0.8  # of the digits' height: the longest bar of a digit that a line covers
BESIDE = 0.6  # of the height of what a line goes through: digits beside each other are so high


@dataclass(frozen=True)
class _Found:
    """The components of an image's ink.

    labels: the number of each pixel.
    boxes: left, top, right, bottom, height and ink of each: int, shape (6, n). A picture full of
        noise has thousands: not each is looked at in Python.
    """

    labels: Integers
    parts: list[Piece]
    boxes: Integers

    def held_by(self, outer: Piece) -> list[Piece]:
        """Return the components in another's box that may be digits."""
        left, top, right, bottom, height, area = self.boxes
        inside = (left >= outer.x) & (top >= outer.y)
        inside &= (right <= outer.right) & (bottom <= outer.bottom)
        inside &= (height >= ENCLOSED * outer.height) & (area > LEAST_INK)
        held = [self.parts[place] for place in np.flatnonzero(inside).tolist()]
        return [one for one in held if one is not outer]


def without_outlines(ink: Pixels, threshold: int, grey: Pixels | None = None) -> Pixels:
    """Take rings and boxes out of the ink; what is in them stays.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
        threshold: connected pixels above this are one component.
        grey: the image that the ink was taken from, of the same shape. Of a broad stroke, the ink
            may be its contour alone, which is no outline.

    Returns:
        The ink without them, of the same shape; the same ink where there are none, or nothing else.
    """

    def outline(part: Piece, all_ink: _Found, tall: float) -> Mask:
        nothing = np.zeros((part.height, part.width), bool)
        if part.width >= SPANNED * ink.shape[1] and part.height >= SPANNED * ink.shape[0]:
            mask = part.mask(all_ink.labels)
            table = _table_in(part, all_ink, mask, each_line_in(mask, 0.8 * part.width))
            return table if table is not None and _is_dark(table, ink[part.place]) else nothing
        found = _outline_in(part, all_ink, tall)
        own = all_ink.labels[part.place] > 0
        if grey is not None and _is_contour(found, grey[part.place], own):
            return nothing
        return found

    return _without_drawn(ink, threshold, outline)


def without_lines(ink: Pixels, threshold: int) -> Pixels:
    """Take lines that are wider than a digit out of the ink, as `without_outlines` does."""
    return _without_drawn(ink, threshold, _lines_of)


def _without_drawn(
    ink: Pixels,
    threshold: int,
    drawn_in: Callable[[Piece, _Found, float], Mask],
) -> Pixels:
    """Take out of the ink what is drawn in its largest components.

    Args:
        drawn_in: returns what of a component is drawn, bool, of the shape of its box; for it, all
            components, and about how high digits are.
    """
    if min(ink.shape) < LEAST_SIDE:
        return ink
    labels, parts = components(ink, threshold)
    rows = [(one.x, one.y, one.right, one.bottom, one.height, one.area) for one in parts]
    found = _Found(labels, parts, np.array(rows, int).reshape(-1, 6).T)
    tall = _digit_height(found)
    drawn = np.zeros(ink.shape, bool)
    for part in _largest(parts):
        drawn[part.place] |= drawn_in(part, found, tall)
    return without(ink, drawn)


def _lines_of(part: Piece, found: _Found, tall: float) -> Mask:
    """Return what of a component are lines that are wider than a digit."""
    mask = part.mask(found.labels)
    nothing = np.zeros(mask.shape, bool)
    if part.width <= LONGER * tall:
        return nothing
    lines = lines_in(mask, LONGER * tall, bar=BAR_OF_DIGIT * tall)
    if not lines.any():
        thick = lines_in(mask, LONGEST_DIGIT * tall, THICK)
        lines = thick if thick.sum() >= ALL * mask.sum() else lines
    if part.width > LONGEST_DIGIT * tall or not lines.any():
        return lines
    # What strikes out a single digit stays with it.
    rest = mask & ~lines
    is_ruled = stands_out(lines, rest) and not strikes_out(lines, rest)
    return lines if is_ruled or _is_several(rest) else nothing


def _is_several(rest: Mask) -> bool:
    """Return whether ink is two or more high components side by side."""
    rows = np.flatnonzero(rest.any(axis=1))
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest.view(np.uint8))
    least = BESIDE * (rows[-1] - rows[0] + 1) if rows.size else 0
    high = stats[1:][stats[1:, cv2.CC_STAT_HEIGHT] >= least]
    lefts = high[:, cv2.CC_STAT_LEFT]
    rights = lefts + high[:, cv2.CC_STAT_WIDTH]
    return bool(len(high) > 1 and lefts.max() >= rights.min())


def _largest(parts: list[Piece]) -> list[Piece]:
    parts = [one for one in parts if one.side >= SMALLEST]
    return sorted(parts, key=lambda one: -one.side)[:MOST_LOOKED_AT]


def _outline_in(part: Piece, found: _Found, tall: float) -> Mask:
    """Return what of a component is an outline, or a table: bool, of the shape of its box."""
    mask = part.mask(found.labels)
    nothing = np.zeros(mask.shape, bool)
    holds = _is_outline(mask, part, found)
    if not (holds or _may_be_outline(mask)):
        return nothing
    across = each_line_in(mask, 0.8 * part.width)
    table = _table_in(part, found, mask, across)
    if table is not None:
        return table
    drawn = np.logical_or.reduce([nothing, *across])
    if drawn.any():
        drawn |= lines_in((mask & ~drawn).T, 0.8 * part.height).T
    drawn |= _rim(mask)
    kept = _kept(mask & ~drawn, mask, 0.5 * tall if holds else TOUCHING * part.height)
    if not holds and _is_bar(kept, mask):
        return nothing  # the ring of a crossed 0
    return mask & ~kept if holds or kept.any() else nothing


def _table_in(part: Piece, found: _Found, mask: Mask, across: list[Mask]) -> Mask | None:
    """Return what of a component is the rules of a table, of the shape of its box; None where it is
    no table, as squared paper, which has more rules.

    mask: its ink; across: the level lines in that.
    """
    along = each_line_in(mask.T, 0.8 * part.height) if len(across) > 1 else []
    if not all(2 <= len(lines) < MOST_LINES for lines in (across, along)):
        return None
    row = part.height / (len(across) - 1)
    if row < _height_beside(part, found) or min(len(across), len(along)) >= SQUARED:
        return None
    drawn = np.logical_or.reduce([*across, *(line.T for line in along), _rim(mask)])
    return mask & ~_high(mask & ~drawn, IN_ROW * row, MOST_IN_ROW * row)


def _is_dark(rules: Mask, ink: Pixels) -> bool:
    """Return whether rules are about as dark as strokes: those of squared paper are faint."""
    if not rules.any():
        return False
    return bool(np.median(ink[rules]) >= AS_DARK * np.percentile(ink[ink > 0], 95))


def _height_beside(part: Piece, found: _Found) -> float:
    """Return the median height of the other components, but for the small ones."""
    heights = [one.height for one in found.parts if one is not part and one.side >= SMALLEST]
    return float(np.median(heights)) if heights else 0.0


def _high(rest: Mask, least: float, most: float) -> Mask:
    """Return the parts of ink whose heights lie in a range."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest.view(np.uint8))
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    is_high = (heights >= least) & (heights <= most)
    is_high[0] = False
    high: Mask = is_high[labels]
    return high


def _is_bar(kept: Mask, mask: Mask) -> bool:
    """Return whether what is kept of a component is a straight stroke across most of it."""
    points = cv2.findNonZero(kept.view(np.uint8))
    if points is None:
        return False
    _, sides, _ = cv2.minAreaRect(points)
    is_thin = min(sides) + 1 <= BAR * (max(sides) + 1)
    return bool(is_thin and max(sides) + 1 >= ACROSS * max(mask.shape))


def _is_contour(outline: Mask, grey: Pixels, ink: Mask) -> bool:
    """Return whether the image is no lighter, or darker, within an outline than along it."""
    within = _within(outline)
    around, held = ~(within | outline), within & ~ink
    if not (outline.any() and around.any() and held.any()):
        return False
    line, paper, inside = (float(np.median(grey[one])) for one in (outline, around, held))
    return (inside - line) * (paper - line) < SEPARATE * (paper - line) ** 2


def _may_be_outline(mask: Mask) -> bool:
    """Return whether a component goes round most of its box, with a stroke that is thin for it."""
    filled = mask | _within(mask, NEARLY_CLOSED)
    return bool(filled.mean() > FILLED and mask.sum() < STROKE_SHARE * filled.sum())


def _rim(mask: Mask) -> Mask:
    """Return the outermost stroke of a component."""
    filled = mask | _within(mask)
    wide = np.pad(filled, 1).astype(np.uint8)
    depth = cv2.distanceTransform(wide, cv2.DIST_L2, 3)[1:-1, 1:-1]
    # How far the ink goes in from the outside: most of an outline is as thick as its thin parts.
    runs = [_first_runs(side, inside) for side, inside in _sides(mask, filled)]
    lengths = np.concatenate(runs)
    if not lengths.size:
        return np.zeros(mask.shape, bool)
    thick = float(np.percentile(lengths, 35))
    rim: Mask = mask & (depth <= 1.5 * thick + 1.5)
    return rim


def _sides(mask: Mask, filled: Mask) -> list[tuple[Mask, Mask]]:
    """Return a component as it is seen from its four sides, each from the top."""
    return [
        (mask, filled),
        (mask[::-1], filled[::-1]),
        (mask.T, filled.T),
        (mask.T[::-1], filled.T[::-1]),
    ]


def _first_runs(mask: Mask, filled: Mask) -> Integers:
    """Return how long the first ink of each column is from the top, in the middle half."""
    quarter = mask.shape[1] // 4
    mask = mask[:, quarter : mask.shape[1] - quarter]
    first = mask.argmax(axis=0)
    rows = np.arange(len(mask))[:, None]
    after = np.where(~mask & (rows > first), rows, len(mask)).min(axis=0, initial=len(mask))
    runs: Integers = (after - first)[mask.any(axis=0)]
    return runs


def _kept(rest: Mask, mask: Mask, least: float) -> Mask:
    """Return the parts of the ink within an outline that are high enough, and not along its rim."""
    filled = np.pad(mask | _within(mask), 1).astype(np.uint8)
    depth = cv2.distanceTransform(filled, cv2.DIST_L2, 3)[1:-1, 1:-1]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest.view(np.uint8))
    kept = np.zeros(mask.shape, bool)
    for number in range(1, len(stats)):
        own = labels == number
        if stats[number, cv2.CC_STAT_HEIGHT] < least:
            continue
        if depth[own].max() >= DEEP * min(mask.shape):
            kept |= own
    return kept


def _digit_height(found: _Found) -> float:
    """Return about how high digits are: the median of those that are not flat, by their ink."""
    parts = found.parts
    if not parts:
        return 0.0
    held = {id(one) for outer in _largest(parts) for one in found.held_by(outer)}
    upright = [one for one in parts if one.width <= 1.3 * one.height]
    upright = [one for one in upright if id(one) in held] or upright or parts
    heights = np.array([min(one.height, one.width * 8) for one in upright], float)
    order = np.argsort(heights)
    ink = np.cumsum(np.array([one.area for one in upright], float)[order])
    return float(heights[order][np.searchsorted(ink, ink[-1] * 0.5)])


def _is_outline(mask: Mask, part: Piece, found: _Found) -> bool:
    """Return whether a component encloses another that may be a digit."""
    inner = found.held_by(part)
    if not inner:
        return False
    within = _within(mask)
    own = found.labels[part.place]
    return any(within[own == one.parts[0]].mean() >= HELD for one in inner)


def _within(mask: Mask, gap_share: float = CLOSED) -> Mask:
    """Return what a component encloses; gaps in it of this share of its side are closed."""
    gap = max(1, round(gap_share * max(mask.shape)))
    wide = np.pad(mask, gap + 1).astype(np.uint8)
    outside = _closed(wide, gap)
    cv2.floodFill(outside, None, (0, 0), 2)
    inside: Mask = (outside != 2) & (wide == 0)
    return inside[gap + 1 : -gap - 1, gap + 1 : -gap - 1]


def _closed(mask: Pixels, gap: int) -> Pixels:
    """Return a mask of 0 and 1 with its gaps of up to so many pixels closed, by a disc.

    A wide disc takes seconds on a large mask; the distances to the ink and from what is near it say
    the same but for the rounding of its rim.
    """
    if gap <= WIDE_GAP:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap))
        closed: Pixels = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc)
        return closed
    near = (cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) <= gap / 2).view(np.uint8)
    apart: Mask = cv2.distanceTransform(near, cv2.DIST_L2, 5) > gap / 2
    return apart.view(np.uint8)
