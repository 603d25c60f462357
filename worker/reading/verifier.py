"""A part of a shape, seen among the rest of it: what the verifier looks at.

A slice of a 7 is a 1, and half an 8 a 3, to whoever sees nothing else. What the cuts left on either
side tells a digit from a slice.
"""

import cv2
import numpy as np

from worker.arrays import Pixels
from worker.images.shapes import Shape

ROWS, COLUMNS = 24, 48  # the height of the shape fills the rows; the part is in the middle


def in_context(part: Shape, whole: Shape) -> Pixels:
    """Give a part of a shape, and what lies around it.

    Args:
        part: some of the ink of `whole`, or all of it, where it lies there.
        whole: the shape that was cut.

    Returns:
        uint8, shape (24, 48, 2): the ink of the part, and the rest of the ink.
    """
    width = round(whole.height * COLUMNS / ROWS)
    left = part.x + part.width // 2 - width // 2
    frame = np.zeros((whole.height, width, 2), np.uint8)
    _lay(frame[:, :, 1], whole, left, whole.y)
    _lay(frame[:, :, 0], part, left, whole.y)
    frame[:, :, 1][frame[:, :, 0] > 0] = 0
    shrinks = whole.height > ROWS
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    context: Pixels = cv2.resize(frame, (COLUMNS, ROWS), interpolation=way)
    return context


def _lay(page: Pixels, shape: Shape, left: int, top: int) -> None:
    """Lay a shape on a page whose upper corner is at (left, top); what is beside it is left out."""
    start, end = max(shape.x, left), min(shape.x + shape.width, left + page.shape[1])
    rows = slice(shape.y - top, shape.y - top + shape.height)
    page[rows, start - left : end - left] = shape.ink[:, start - shape.x : end - shape.x]
