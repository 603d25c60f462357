"""A grey image -> the digits in it, each as 28x28 pixels like MNIST's."""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.decoding import ImageError
from worker.layout import Piece, find_lines

SIZE = 28
BOX = 20
WORKING_SIDE = 800  # ink is looked for at this size at most
CLEAR = 24  # ink above this, of 255, belongs to a stroke
FAINT = 4  # in a small picture, which is all edge: keep its faint ink
LEAST_CONTRAST = 16  # grey levels between paper and ink; less is called blank


@dataclass(frozen=True)
class Glyph:
    """One digit found in an image.

    box: (x, y, width, height) in pixels of the image.
    pixels: uint8, shape (28, 28); 0 is paper, 255 is full ink.
    line: the number of its line in the image, from 0.
    """

    box: tuple[int, int, int, int]
    pixels: np.ndarray
    line: int = 0


def find_digits(grey: np.ndarray) -> list[Glyph]:
    """Find the digits in an image; an image without ink has none.

    Args:
        grey: uint8, shape (height, width), of any polarity.

    Returns:
        The digits in reading order: line by line, each from left to right.
    """
    small, scale = _shrink(grey)
    ink = extract_ink(small)
    labels, lines = find_lines(ink, CLEAR if min(ink.shape) >= 64 else FAINT)
    return [
        _glyph(ink, labels, digit, scale, grey.shape, number)
        for number, line in enumerate(lines)
        for digit in line
    ]


def _glyph(ink, labels, digit: Piece, scale: float, shape, line: int) -> Glyph:
    area = (slice(digit.y, digit.bottom), slice(digit.x, digit.right))
    own = np.where(np.isin(labels[area], digit.parts), ink[area], 0)
    box = tuple(length * scale for length in (digit.x, digit.y, digit.width, digit.height))
    return Glyph(_whole(box, shape), normalize(own), line)


def extract_ink(grey: np.ndarray) -> np.ndarray:
    """Tell ink from paper, whatever the polarity and however the light falls.

    Args:
        grey: uint8, shape (height, width).

    Returns:
        uint8, same shape: 0 is paper, 255 is full ink; all 0 where there is no ink.
    """
    difference = grey.astype(np.float32) - _paper(grey)
    if float((difference**3).sum()) < 0:
        difference = -difference
    # What lies on paper's side of the surface is noise alone, however much of the image is ink.
    paper_side = -difference[difference < 0]
    noise = 1.4826 * float(np.median(paper_side)) if paper_side.size else 0.0
    smooth = cv2.GaussianBlur(difference, (3, 3), 0) if min(grey.shape) >= 64 else difference
    rank = min(max(4, smooth.size // 500), smooth.size)
    contrast = float(np.partition(smooth.ravel(), -rank)[-rank])
    if contrast < max(LEAST_CONTRAST, 5 * noise):
        return np.zeros_like(grey)
    floor = min(3 * noise, contrast / 2)
    return np.clip((difference - floor) * (255 / (contrast - floor)), 0, 255).astype(np.uint8)


def normalize(ink: np.ndarray) -> np.ndarray:
    """Give one digit the geometry of an MNIST digit.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.

    Returns:
        uint8, shape (28, 28): the ink scaled to fit a 20x20 box, aspect kept, its centre of mass at
        the centre.

    Raises:
        ImageError: the image holds no ink.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        raise ImageError("The image holds no ink.")
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    if max(height, width) != BOX:
        scale = BOX / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        if not ink.any():
            raise ImageError("The image holds no ink.")
        # A hair-thin stroke fades when it is scaled down: bring it back to full ink.
        ink = np.clip(ink * (255 / np.percentile(ink[ink > 0], 95)), 0, 255)
    return _centre(ink.astype(np.float32))


def _centre(ink: np.ndarray) -> np.ndarray:
    """Lay the ink on 28x28 with its centre of mass at the centre, all of it inside."""
    height, width = ink.shape
    total = float(ink.sum())
    middle = SIZE // 2  # MNIST's centres of mass all lie within half a pixel of (14, 14)
    top = round(middle - float((ink.sum(axis=1) * np.arange(height)).sum()) / total)
    left = round(middle - float((ink.sum(axis=0) * np.arange(width)).sum()) / total)
    top, left = min(max(top, 0), SIZE - height), min(max(left, 0), SIZE - width)
    page = np.zeros((SIZE, SIZE), np.uint8)
    page[top : top + height, left : left + width] = np.rint(ink)
    return page


def _shrink(grey: np.ndarray) -> tuple[np.ndarray, float]:
    scale = max(grey.shape) / WORKING_SIDE
    if scale <= 1:
        return grey, 1.0
    size = (max(1, round(grey.shape[1] / scale)), max(1, round(grey.shape[0] / scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA), scale


def _paper(grey: np.ndarray) -> np.ndarray:
    """Estimate the paper's grey level at each pixel: a quadratic surface under the ink.

    Fitted by iterated least squares on a coarse copy; what lies far from the surface, the ink, is
    left out of the next round.
    """
    if min(grey.shape) < 48:
        return np.full(grey.shape, np.float32(np.median(np.concatenate(_edges(grey)))))
    side = 96
    coarse = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    flat = coarse.ravel()
    basis = _basis(side, side)
    surface = _fitted(basis, flat, np.full(flat.shape, np.median(flat)), ink_sign=0)
    ink_sign = 1 if float(((flat - surface) ** 3).sum()) > 0 else -1
    surface = _fitted(basis, flat, surface, ink_sign)
    surface = surface.reshape(side, side).astype(np.float32)
    return cv2.resize(surface, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _fitted(basis, flat: np.ndarray, surface: np.ndarray, ink_sign: int) -> np.ndarray:
    """Fit the surface to what is near it, nearer on the side of the ink (1 lighter, -1 darker)."""
    for _ in range(8):
        distance = flat - surface
        spread = max(2.0, 1.4826 * float(np.median(np.abs(distance[distance * ink_sign <= 0]))))
        near = np.abs(distance) <= 2.5 * spread
        if ink_sign:
            near &= distance * ink_sign <= spread
        if near.sum() < 0.1 * flat.size:
            break
        weights, *_ = np.linalg.lstsq(basis[near], flat[near], rcond=None)
        surface = basis @ weights
    return surface


def _basis(height: int, width: int) -> np.ndarray:
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [np.ones_like(x), x, y, x * y, x * x, y * y]
    return np.stack([term.ravel() for term in terms], axis=1).astype(np.float32)


def _edges(grey: np.ndarray) -> list[np.ndarray]:
    return [grey[0], grey[-1], grey[:, 0], grey[:, -1]]


def _whole(box, shape) -> tuple[int, int, int, int]:
    """Round a box to whole pixels inside an image of this shape."""
    x, y = int(box[0]), int(box[1])
    width = min(max(1, round(box[2])), shape[1] - x)
    height = min(max(1, round(box[3])), shape[0] - y)
    return x, y, width, height
