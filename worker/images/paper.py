"""The paper under the ink: how light it is at each place, and the lines printed on it."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from worker.arrays import Floats, Integers, Mask, Pixels
from worker.images.paths import rows_near
from worker.images.pieces import DARK

# Developed while generated pages, letters and noise were looked at (benchmarks.collections, seed
# 1). The version history holds no other values, and not what each was set on.
LEAST_CONTRAST = 16  # grey levels between paper and ink; an image with less is blank
STROKE_WIDTHS = (0.03, 0.06, 0.12, 0.24)  # of the image's longer side
AS_DARK = 0.8  # of the darkest: a broad region that is so dark is ink, not shade
RULE = 0.4  # the least visible part of a printed line, as a share of the image's side,
SOLE = 0.8  # and of one without parallel lines
THIN = 0.01  # the greatest thickness of a printed line, as a share of the shorter side
STEEPEST = 0.12  # the greatest slope of a printed line, in rows per column
BEND = 2  # rows by which a printed line may deviate from straight
SPAN = 24  # columns without a break that a segment of a line has at least
FEW = 1000  # values that are sorted as fast as they are partitioned
MOST_SEGMENTS = 400  # the longest, so that the time is bounded
# Tuned on benchmarks.complaints (cut, seed 1).
EVEN = 0.3  # the skewness of an image below which its corners tell ink from paper
CORNER = 3  # pixels of the side of a corner
BLOT = 0.7  # of the contrast of strokes: what is darker, and all within the page, is no shadow


def find_paper(grey: Pixels) -> tuple[Floats, int]:
    """Estimate the paper's grey level at each pixel, and whether the ink is lighter or darker.

    A quadratic surface under the ink is enough for a gradient of light and a vignette. Where large
    dark regions remain that are not strokes, as in a shadow with an edge, the paper is estimated
    from nearby pixels.

    Args:
        grey: uint8, shape (height, width).

    Returns:
        The level, float32 in the shape of grey, and 1 for light ink or -1 for dark ink.
    """
    if min(grey.shape) < 48:
        level = np.float32(median(np.concatenate(rim(grey))))
        difference = grey - level
        # As the sum of the third powers, which takes four times as long.
        skew = float(np.vdot(difference * difference, difference))
        return np.full(grey.shape, level), 1 if skew >= 0 else -1
    side = 96
    coarse = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    flat = coarse.ravel()
    basis = _basis(side, side)
    surface = _fitted(basis, flat, np.full(flat.shape, np.median(flat)), ink_sign=0)
    ink_sign = _ink_sign(grey)
    surface = _fitted(basis, flat, surface, ink_sign)
    surface = np.clip(surface, flat.min(), flat.max())  # beyond what it is fitted to, it may rise
    surface = surface.reshape(side, side).astype(np.float32)
    surface = cv2.resize(surface, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return _without_shadow(grey, surface, ink_sign), ink_sign


def _ink_sign(grey: Pixels) -> int:
    """Return 1 for light ink, -1 for dark ink: strokes are narrow, and differ from nearby."""
    small = _reduced(grey, 400)
    nearby = cv2.GaussianBlur(small, (0, 0), min(small.shape) / 8)
    difference = small - nearby
    spread = float(np.vdot(difference, difference)) / small.size
    skew = float((difference**3).sum()) / small.size / max(spread**1.5, 1e-9)
    if abs(skew) < EVEN and (light := _light_corners(small)) != 2:
        return -1 if light > 2 else 1
    return 1 if skew > 0 else -1


def _light_corners(grey: Floats) -> int:
    """Return how many of an image's corners are light, as paper is: ink is seldom there."""
    low, high = (float(level) for level in np.percentile(grey, (5, 95)))
    ends = slice(None, CORNER), slice(-CORNER, None)
    corners = [grey[rows, columns] for rows in ends for columns in ends]
    return sum(float(corner.mean()) > (low + high) / 2 for corner in corners)


def _reduced(grey: Pixels | Floats, side: int) -> Floats:
    """Return a copy of at most this side, float32."""
    scale = min(1.0, side / max(grey.shape))
    size = tuple(max(1, round(length * scale)) for length in grey.shape[::-1])
    small: Floats = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small


def _without_shadow(grey: Pixels, surface: Floats, ink_sign: int) -> Floats:
    """Return a closer estimate of the paper than the surface, where there is a shadow on it.

    A morphological closing removes dark structures up to some width. Of rising widths, the first is
    taken that removes all strokes, so that a wider one removes little more. If far more lies under
    the surface than under the closed image, the difference is shadow, not ink.
    """
    small = _reduced(grey, 400) * -ink_sign
    under = _reduced(surface, 400) * -ink_sign - small
    clear = 0.35 * float(np.percentile(under, 99.5))
    if clear < LEAST_CONTRAST / 3:
        return surface
    found: list[tuple[int, Floats, float]] = []
    for share in STROKE_WIDTHS:
        width = max(3, round(share * max(small.shape)))
        # In a small image, widths that are nearly the same would seem to take all of the strokes.
        if found and width < 1.5 * found[-1][0]:
            continue
        closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
        depth = closed - small
        found.append((width, depth, float(depth[depth > clear].sum())))
    taken = [one for one, wider in pairwise(found) if 0 < wider[2] < 1.2 * one[2]]
    if not taken:
        return surface
    width, depth, _ = taken[0]
    faint = max(LEAST_CONTRAST / 3, clear / 3)
    if float(under[under > faint].sum()) < 1.2 * float(depth[depth > faint].sum()):
        return surface
    if _is_broad_ink(under, depth, found[-1][1], faint):
        return surface
    paper = depth <= clear / 2
    level = _level_near(small, depth, paper, width)
    blots = _blots(_reduced(surface, 400) * -ink_sign - level, depth, clear)
    if blots.any():
        near = cv2.dilate(blots, np.ones((width, width), np.uint8)) > 0
        level = _level_near(small, depth, paper & ~near, width)
        level = np.where(blots > 0, _reduced(surface, 400) * -ink_sign, level)
    level = (level * -ink_sign).astype(np.float32)
    paper_level: Floats = cv2.resize(level, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return paper_level


def _is_broad_ink(under: Floats, depth: Floats, deepest: Floats, faint: float) -> bool:
    """Return whether what lies under the paper, and is broader than strokes, is a stroke as well:
    no broader than the broadest, and as dark as anything.

    Args:
        under: how far each pixel lies under the surface.
        depth, deepest: how far under the image closed by the width of strokes, and by the greatest.
    """
    if float(under[under > faint].sum()) > 1.2 * float(deepest[deepest > faint].sum()):
        return False
    broad = (under - depth)[under - depth > faint]
    if not broad.size:
        return False
    darkest = float(np.percentile(under[under > faint], 95))
    return float(np.median(broad)) > AS_DARK * darkest


def _level_near(small: Floats, depth: Floats, paper: Mask, width: int) -> Floats:
    """Return the level of the paper near each pixel; where there is none, that of what is there.

    Args:
        small: an image in which ink is darker.
        depth: how far each pixel is below what is there without strokes, which have this width.
        paper: which pixels are paper.
    """
    known = paper.astype(np.float32)
    sigma = width / 2
    weight = cv2.GaussianBlur(known, (0, 0), sigma)
    level = cv2.GaussianBlur(known * small, (0, 0), sigma) / np.maximum(weight, 1e-4)
    return np.where(weight > 1e-3, level, small + depth)


def _blots(shadow: Floats, depth: Floats, clear: float) -> Pixels:
    """Return 1 where what seems to be shadow is as dark as strokes, and does not reach the rim."""
    strokes = depth[depth > clear]
    if not strokes.size:
        return np.zeros(shadow.shape, np.uint8)
    deep = (shadow > BLOT * float(np.median(strokes))).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(deep)
    x, y, width, height = stats[:, : cv2.CC_STAT_AREA].T
    is_blot = (x > 0) & (y > 0) & (x + width < deep.shape[1]) & (y + height < deep.shape[0])
    is_blot[0] = False
    blots: Pixels = is_blot[labels].view(np.uint8)
    return blots


def _fitted(basis: Floats, flat: Floats, surface: Floats, ink_sign: int) -> Floats:
    """Fit the surface to what is near it, nearer on the side of the ink (1 lighter, -1 darker)."""
    fitted_to: Mask = np.zeros(0, bool)
    for _ in range(8):
        distance = flat - surface
        spread = max(2.0, 1.4826 * float(np.median(np.abs(distance[distance * ink_sign <= 0]))))
        near = np.abs(distance) <= 2.5 * spread
        if ink_sign:
            near &= distance * ink_sign <= spread
        if near.sum() < 0.1 * flat.size or np.array_equal(near, fitted_to):
            break  # to the same points it would be the same surface
        fitted_to = near
        own = basis[near]
        normal = own.T @ own + 1e-3 * np.eye(own.shape[1])  # where ink hides a corner, it is flat
        surface = basis @ np.linalg.solve(normal, own.T @ flat[near])
    return surface


def _basis(height: int, width: int) -> Floats:
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [np.ones_like(x), x, y, x * y, x * x, y * y]
    return np.stack([term.ravel() for term in terms], axis=1)


def median(values: np.ndarray[Any, Any]) -> float:
    """Return the median of a flat array, as np.median does, which takes three times as long."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(ordered(values, middle)[middle])
    pair = ordered(values, middle - 1, middle)[middle - 1 : middle + 1]
    return (float(pair[0]) + float(pair[1])) / 2


def ordered(values: np.ndarray[Any, Any], *places: int) -> np.ndarray[Any, Any]:
    """Return a flat array with the values at these places as if it were sorted.

    A few values are sorted: where many are equal, a partition takes five times as long.
    """
    return np.sort(values) if len(values) <= FEW else np.partition(values, places)


def rim(grey: Pixels | Floats) -> list[Pixels | Floats]:
    """Return the outermost rows and columns of an image."""
    return [grey[0], grey[-1], grey[:, 0], grey[:, -1]]


def without_rules(ink: Pixels) -> Pixels:
    """Remove the lines of ruled and squared paper from the ink; ink that crosses them stays.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
    """
    if min(ink.shape) < 100:
        return ink
    rules = _rules(ink) | _rules(ink.T).T
    return without(ink, rules)


def without(ink: Pixels, lines: Mask) -> Pixels:
    """Remove lines from the ink, unless nearly all of it is lines: then these were written.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
        lines: which of its pixels belong to lines.
    """
    if not lines.any():
        return ink
    rest = np.where(lines, 0, ink).astype(np.uint8)
    # What is left along a line, where it steps from one row to the next, is a part of it.
    along = cv2.dilate(lines.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    is_other = ((rest > DARK) & ~along).sum() > 0.1 * (ink > DARK).sum()
    return rest if is_other else ink


def _rules(ink: Pixels) -> Mask:
    """Find level lines that run most of the way across: bool, the shape of ink."""
    height, width = ink.shape
    dark = (ink > 24).astype(np.uint8)
    thick = max(3, round(THIN * min(height, width)))
    upright = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((thick + 1, 1), np.uint8))
    thin = dark & ~upright  # strokes that are not level are left out here
    found = np.zeros(ink.shape, bool)
    columns = np.arange(width)
    for slope, start in _straight_lines(thin, width):
        band, distances = rows_near(start + slope * columns, BEND + thick / 2, height)
        near = (distances <= BEND + thick / 2) & (thin[band] > 0)
        # Pixels that are much darker than the line are ink along it.
        found[band] |= near & (ink[band] <= 1.5 * np.median(ink[band][near]) + 20)
    return found


def _straight_lines(thin: Pixels, width: int) -> list[tuple[float, float]]:
    """Return (slope, row at column 0) of the lines that run most of the way across."""
    broad = cv2.dilate(thin, np.ones((2 * BEND + 1, 5), np.uint8))
    level = cv2.morphologyEx(broad, cv2.MORPH_OPEN, np.ones((1, SPAN), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(level)
    lengths = stats[:, cv2.CC_STAT_WIDTH]
    order = [int(n) for n in np.argsort(-lengths) if n][:MOST_SEGMENTS]
    points = {number: _points(labels, stats, number) for number in order}
    centres = {number: (float(x.mean()), float(y.mean())) for number, (x, y) in points.items()}
    lines: list[tuple[float, float, float]] = []
    while order and lengths[order[0]] >= 2 * SPAN:
        group, (slope, start) = _collinear(order, points, centres, lines)
        share = lengths[group].sum() / width
        if abs(slope) <= STEEPEST and share >= RULE / 2:
            lines.append((slope, start, share))
        order = [number for number in order if number not in group]
    clear = sum(share >= RULE for *_, share in lines)
    # A line that is one of several may show less of itself.
    least = SOLE if clear < 3 else RULE / 2
    return [(slope, start) for slope, start, share in lines if share >= least]


def _points(labels: Integers, stats: Integers, number: int) -> tuple[Integers, Integers]:
    """Return the columns and the rows of a component's pixels."""
    x, y, width, height, _ = stats[number]
    rows, columns = np.nonzero(labels[y : y + height, x : x + width] == number)
    return columns + x, rows + y


def _collinear(
    order: list[int],
    points: dict[int, tuple[Integers, Integers]],
    centres: dict[int, tuple[float, float]],
    lines: list[tuple[float, float, float]],
) -> tuple[list[int], tuple[float, float]]:
    """Return the segments on one line with the first, and the line's slope and start."""
    x, y = points[order[0]]
    if lines:  # the nearest line's slope is more exact than that of a short segment
        slope = min(lines, key=lambda line: abs(line[0] * x.mean() + line[1] - y.mean()))[0]
        start = float((y - slope * x).mean())
    else:
        slope, start = (float(term) for term in np.polyfit(x, y, 1))
    group = order[:1]
    for _ in range(2):  # the second time with the line that all of them drew
        group = order[:1]
        for number in order[1:]:
            across, along = centres[number]
            if abs(along - start - slope * across) > BEND + 1:
                continue  # the mean distance of its points is at least that of their centre
            x, y = points[number]
            if np.abs(y - (start + slope * x)).mean() <= BEND + 1:
                group.append(number)
        x, y = (np.concatenate(part) for part in zip(*(points[n] for n in group), strict=True))
        slope, start = (float(term) for term in np.polyfit(x, y, 1))
    return group, (slope, start)
