"""Digits that were struck out: by strokes across them that stand out on both sides."""

import cv2
import numpy as np

from worker.arrays import Mask

# Tuned on benchmarks.complaints (between, seed 1), while strings of benchmarks.collections (seed 1)
# and MNIST's test images were looked at, none of which is struck out.
SIDE = 64  # pixels of the longer side in which strokes are looked for
LEAST_SIDE = 20  # pixels: in smaller ink no stroke is told from a digit's own
CROSSING = ((-38, -60), (38, 60))  # degrees by which the strokes of a cross are turned to be level
THIN = 0.2  # of that: the thickness of a stroke at most
OUT = 0.1  # of that: how far it stands out on either side at least
STEEPEST = 0.4  # rows per column, of ink that was turned
MOST = 2  # strokes at one end
PROBE = 0.05  # of SIDE: how far from an end its strokes are looked at
WHOLE = 0.95  # the share of it that is ink
LEFT = 0.45  # what is left without it is so high, as a share of SIDE, at least,
ON_A_SIDE = 0.12  # and has this share of its ink on either side of it
NARROW = 0.3  # width to height of what is left: with a level stroke across, it is a plus


def is_struck_out(mask: Mask) -> bool:
    """Return whether ink is a digit with strokes through it that stand out on both sides.

    A single stroke that climbs or falls steeply is not enough: many a 4 and 7 has one.

    Args:
        mask: bool, shape (height, width): where the ink is.
    """
    if max(mask.shape) < LEAST_SIDE:
        return False
    if _is_struck_at(_turned(mask, 0), 0):
        return True
    return all(
        any(_is_struck_at(_turned(mask, angle), angle) for angle in angles) for angles in CROSSING
    )


def _turned(mask: Mask, degrees: float) -> Mask:
    """Return ink at SIDE pixels, turned by some degrees."""
    height, width = mask.shape
    scale = SIDE / max(height, width)
    room = round(SIDE * 1.5)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    matrix[:, 2] += room / 2 - np.array([width / 2, height / 2])
    ink = mask.view(np.uint8) * 255
    if scale < 1:
        ink = cv2.GaussianBlur(ink, (0, 0), 0.4 / scale)
    page = cv2.warpAffine(ink, matrix, (room, room), flags=cv2.INTER_LINEAR)
    turned: Mask = np.asarray(page) > 110
    rows, columns = np.flatnonzero(turned.any(axis=1)), np.flatnonzero(turned.any(axis=0))
    if not rows.size:
        return turned
    return turned[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _is_struck_at(mask: Mask, angle: float) -> bool:
    """Return whether strokes go through ink from left to right and stand out at both ends."""
    strokes = _strokes(mask)
    if strokes is None:
        return False
    rest = cv2.morphologyEx((mask & ~strokes).view(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2)))
    left, _, wide, high = cv2.boundingRect(rest)
    out = OUT * SIDE
    if left < out or left + wide > mask.shape[1] - out:
        return False
    if high < LEFT * SIDE or (not angle and wide < NARROW * high):
        return False
    middle = float(np.argwhere(strokes)[:, 0].mean())
    above = float(rest[: round(middle)].sum()) / max(1, int(rest.sum()))
    return ON_A_SIDE <= above <= 1 - ON_A_SIDE


def _strokes(mask: Mask) -> Mask | None:
    """Return the strokes that go through ink from one side to the other; None without any."""
    height, width = mask.shape
    at = round(PROBE * SIDE)
    if width <= 4 * at:
        return None
    columns, rows = np.arange(width), np.arange(height)[:, None]
    found = np.zeros(mask.shape, bool)
    for y0, thick in _runs(mask[:, at]):
        for y1, other in _runs(mask[:, width - 1 - at]):
            slope = (y1 - y0) / (width - 1 - 2 * at)
            middle = y0 + slope * (columns - at)
            on_ink = mask[np.clip(np.rint(middle).astype(int), 0, height - 1), columns]
            if abs(slope) <= STEEPEST and on_ink[at : width - at].mean() >= WHOLE:
                found |= mask & (np.abs(rows - middle) <= (thick + other) / 4 + 1.5)
    return found if found.any() else None


def _runs(column: Mask) -> list[tuple[float, float]]:
    """Return the middle and thickness of each stroke that a column crosses; empty for others."""
    edges = np.flatnonzero(np.diff(np.pad(column, 1).astype(np.int8)))
    runs = [((start + end - 1) / 2, float(end - start)) for start, end in edges.reshape(-1, 2)]
    is_strokes = len(runs) <= MOST and all(thick <= THIN * SIDE for _, thick in runs)
    return runs if is_strokes else []
