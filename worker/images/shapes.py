"""A shape: ink that may be a digit, cut out of an image; and the line that it stands in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from worker.arrays import Mask, Pixels
from worker.images.marks import Mark


@dataclass(eq=False)
class Shape:
    """Ink that may be a digit.

    x, y: its left upper corner in the image.
    ink: uint8, shape (height, width), of this shape alone; 0 is paper.
    pixels: the ink normalised, once it is: see worker.images.finding.pixels_of.
    is_struck_out: whether it is a digit that was struck out.
    """

    x: int
    y: int
    ink: Pixels
    pixels: Pixels | None = None
    is_struck_out: bool = False

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


class Line(list[Shape]):
    """The shapes of a line, from left to right, and the marks between them."""

    def __init__(self, shapes: Iterable[Shape] = (), marks: Iterable[Mark] = ()):
        super().__init__(shapes)
        self.marks = list(marks)

    def of(self, shapes: Iterable[Shape]) -> "Line":
        """Return a line of other shapes with the marks of this one."""
        return Line(shapes, self.marks)

    def moved(self, x: int, y: int) -> "Line":
        """Return the line with all that is in it so many pixels to the right, and lower."""
        for shape in self:
            shape.x, shape.y = shape.x + x, shape.y + y
        marks = [replace(mark, x=mark.x + x, y=mark.y + y) for mark in self.marks]
        return Line(self, marks)
