"""A shape: ink that may be a digit, cut out of an image."""

from dataclasses import dataclass

import numpy as np

from worker.arrays import Mask, Pixels


@dataclass(eq=False)
class Shape:
    """Ink that may be a digit.

    x, y: its left upper corner in the image.
    ink: uint8, shape (height, width), of this shape alone; 0 is paper.
    pixels: the ink normalised, once it is: see worker.images.finding.pixels_of.
    """

    x: int
    y: int
    ink: Pixels
    pixels: Pixels | None = None

    @property
    def height(self) -> int:
        return len(self.ink)

    @property
    def width(self) -> int:
        return int(self.ink.shape[1])

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

    def columns(self, left: int, right: int) -> "Shape":
        """Return the part between two columns, counted from its left edge."""
        return Shape(self.x + left, self.y, self.ink[:, left:right])

    def masked(self, mask: Mask) -> "Shape | None":
        """Return the part where mask is true; None where there is no ink."""
        ink = np.where(mask, self.ink, 0).astype(np.uint8)
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        if not rows.size:
            return None
        part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Shape(self.x + int(columns[0]), self.y + int(rows[0]), part)
