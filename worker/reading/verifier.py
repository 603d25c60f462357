"""The verifier's input: a part of a shape, in the context of the rest of the shape.

Alone, a slice of a 7 looks like a 1, and half an 8 like a 3. The ink on both sides of the cuts
shows whether the part is a digit or a slice of one.
"""

import cv2
import numpy as np

from worker.arrays import Pixels
from worker.images.shapes import Shape

ROWS, COLUMNS = 24, 48  # the height of the shape fills the rows; the part is in the middle


def in_context(part: Shape, whole: Shape) -> Pixels:
    """Return a part of a shape and the ink around it, as the verifier's input.

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
    """Lay a shape on a page whose upper corner is at (left, top); ink outside of it is left out."""
    start, end = max(shape.x, left), min(shape.x + shape.width, left + page.shape[1])
    rows = slice(shape.y - top, shape.y - top + shape.height)
    page[rows, start - left : end - left] = shape.ink[:, start - shape.x : end - shape.x]
