"""A colour image -> grey: its luminance, or where that shows no strokes, another axis of colour."""

import cv2
import numpy as np
from PIL import Image

from worker.arrays import Floats, Pixels
from worker.images.decoding import Picture, to_grey

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow has it
MIDDLE = 127.5  # the level of most of the paper
LOOKED_AT = 256  # pixels: colours are compared at about this size
# Tuned on benchmarks.complaints (colours, seed 1), while of the pages of benchmarks.collections
# none changed. Levels, of 255.
ENOUGH = 40  # between strokes and paper in luminance: no other axis is looked for
GAIN = 3  # as much more contrast another axis must have
LEAST = 30  # what it must have at least
NEARBY = 3  # the paper of a pixel is the mean over a square of this part of the image's side
SHARE = 2000  # one pixel of so many must differ from the paper as much


def grey_of(picture: Picture) -> Pixels:
    """Return the grey levels of a picture, in which digits are looked for.

    They are its luminance. Where strokes and paper are equally light, as red on blue may be, they
    are its levels along the axis of colour on which these differ.

    Returns:
        uint8, shape (height, width).
    """
    grey = to_grey(picture.image)
    if picture.is_grey or _shows_strokes(grey):
        return grey
    axis = _axis(picture.image)
    if axis is None:
        return grey
    levels = np.asarray(picture.image) @ axis
    levels += np.float32(MIDDLE) - np.float32(np.median(levels))
    return np.clip(levels, 0, 255).astype(np.uint8)


def _shows_strokes(grey: Pixels) -> bool:
    """Return whether luminance has enough contrast, by a sample of the pixels, which takes least
    time."""
    step = max(1, max(grey.shape) // LOOKED_AT)
    sample = np.ascontiguousarray(grey[::step, ::step])
    apart = cv2.absdiff(sample, cv2.blur(sample, _nearby(sample)))
    return int(np.count_nonzero(apart >= ENOUGH)) >= _fewest(apart.size)


def _axis(image: Image.Image) -> Floats | None:
    """Return the axis of colour on which strokes and paper differ most: three factors, float32.

    None stands for luminance, where no axis has far more contrast.
    """
    factor = max(image.size) // LOOKED_AT
    small = np.asarray(image.reduce(factor) if factor > 1 else image, np.float32)
    apart = (small - cv2.blur(small, _nearby(small))).reshape(-1, 3)
    clear = np.linalg.norm(apart, axis=1)
    strokes = apart[clear >= _contrast(clear) / 2]
    _, axes = np.linalg.eigh(strokes.T @ strokes)
    axis: Floats = (axes[:, -1] / np.abs(axes[:, -1]).sum()).astype(np.float32)
    if _contrast(apart @ axis) < max(LEAST, GAIN * _contrast(apart @ LUMINANCE)):
        return None
    return axis


def _nearby(levels: Pixels | Floats) -> tuple[int, int]:
    """Return the size of the square over which the paper of a pixel is averaged."""
    side = max(3, max(levels.shape[:2]) // NEARBY)
    return side, side


def _contrast(apart: Floats) -> float:
    """Return the difference that the clearest pixels have."""
    clear = np.abs(apart)
    place = clear.size - _fewest(clear.size)
    return float(np.partition(clear, place)[place])


def _fewest(count: int) -> int:
    """Return how many of so many pixels must differ from the paper."""
    return min(max(4, count // SHARE), count)
