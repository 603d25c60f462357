"""Punch holes: round pieces alike, in a row along one side of the page, with no ink farther out."""

import cv2
import numpy as np

from worker.arrays import Integers, Mask
from worker.images.pieces import Piece

# Tuned on benchmarks.complaints (between, seed 1), while columns of zeros by MNIST's writers were
# looked at: few of those are as round.
ROUND = (0.8, 1.25)  # width to height
LEAST = 6  # pixels of the shorter side
ASTRAY = 0.07  # how far the rim is from a circle, as a share of its radius
FILLED = 0.66  # a disc fills this share of its box; a digit less
HOLLOW = 0.5  # a ring is no thicker than this share of its radius
ALIKE = 1.2  # the largest of them is so many times as large as the smallest
APART = 1.6  # the distance of two, in their heights, at least
MARGIN = 0.2  # of the page's width: they are no farther from its edge
IN_ROW = 0.35  # of their width: how far they are off their row
MOST = 60  # round pieces of a page


def find_holes(pieces: list[Piece], labels: Integers) -> set[Piece]:
    """Return the pieces that are punch holes.

    Args:
        pieces: of the image's ink, none joined.
        labels: the component of each pixel.
    """
    shaped = [piece for piece in pieces if _may_be_round(piece)]
    if not 2 <= len(shaped) <= MOST:
        return set()
    round_ones = [piece for piece in shaped if _is_hole(piece.mask(labels))]
    found: set[Piece] = set()
    for piece in round_ones:
        for is_upright in (True, False):
            row = [one for one in round_ones if _are_in_row(piece, one, is_upright)]
            if len(row) > 1 and _is_at_edge(row, pieces, labels.shape, is_upright):
                found.update(row)
    return found


def _may_be_round(piece: Piece) -> bool:
    shape = piece.width / piece.height
    return ROUND[0] <= shape <= ROUND[1] and min(piece.width, piece.height) >= LEAST


def _is_hole(mask: Mask) -> bool:
    """Return whether ink is a disc, or a ring that is as round."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = sorted(contours, key=len, reverse=True)
    (x, y), _, _ = cv2.fitEllipse(contours[0]) if len(contours[0]) >= 5 else ((0, 0), 0, 0)
    distance = np.hypot(*(contours[0][:, 0] - (x, y)).T)
    radius = float(distance.mean())
    if distance.std() > max(ASTRAY * radius, 0.5):
        return False
    if mask.mean() >= FILLED:
        return True
    if len(contours) < 2 or len(contours[1]) < 5:
        return False
    within = np.hypot(*(contours[1][:, 0] - (x, y)).T)
    is_thin = radius - float(within.mean()) <= HOLLOW * radius
    return is_thin and bool(within.std() <= max(ASTRAY * radius, 0.5))


def _are_in_row(a: Piece, b: Piece, is_upright: bool) -> bool:
    """Return whether two pieces are one, or alike, apart, and above or beside each other."""
    if a is b:
        return True
    if max(a.side, b.side) > ALIKE * min(a.side, b.side) + 2:
        return False
    across = abs(a.x + a.width / 2 - b.x - b.width / 2)
    along = abs(a.y + a.height / 2 - b.y - b.height / 2)
    if not is_upright:
        across, along = along, across
    return across <= IN_ROW * a.side + 1 and along >= APART * a.side


def _is_at_edge(
    row: list[Piece], pieces: list[Piece], shape: tuple[int, ...], is_upright: bool
) -> bool:
    """Return whether a row lies along an edge of the page, with no ink farther out."""

    def span(piece: Piece) -> tuple[int, int]:
        return (piece.x, piece.right) if is_upright else (piece.y, piece.bottom)

    length = shape[1] if is_upright else shape[0]
    first, last = min(span(one)[0] for one in row), max(span(one)[1] for one in row)
    others = [span(one) for one in pieces if one not in row and one.side >= LEAST]
    before = last <= MARGIN * length and all(start >= last for start, _ in others)
    after = first >= (1 - MARGIN) * length and all(end <= first for _, end in others)
    return before or after
