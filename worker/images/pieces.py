"""Connected ink: what digits, marks and lines are made of."""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.arrays import Integers, Mask, Pixels

# Set as the constants of worker.images.layout were.
DARK = 110  # a piece must be this dark somewhere, of 255, to count as ink


@dataclass(eq=False)
class Piece:
    """Connected ink, or several such pieces that are one digit.

    x, y, width, height: its box in pixels.
    area: its pixels of ink.
    parts: the numbers of its components.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    parts: list[int]

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of its box, of an image or of its labels."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def mask(self, labels: Integers) -> Mask:
        """Return where its ink is in its box.

        Args:
            labels: the component of each pixel of the image.
        """
        own = labels[self.place]
        ink: Mask = own == self.parts[0] if len(self.parts) == 1 else np.isin(own, self.parts)
        return ink

    @property
    def side(self) -> int:
        return max(self.width, self.height)

    def joined(self, other: "Piece") -> "Piece":
        x, y = min(self.x, other.x), min(self.y, other.y)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        area, parts = self.area + other.area, self.parts + other.parts
        return Piece(x, y, right - x, bottom - y, area, parts)


def components(ink: Pixels, threshold: int) -> tuple[Integers, list[Piece]]:
    """Return the component number of each pixel, and the components that are dark somewhere.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
        threshold: connected pixels above this are one component.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats((ink > threshold).view(np.uint8))
    dark = np.flatnonzero(np.bincount(labels[ink >= DARK])).tolist()
    boxes = {number: stats[number].tolist() for number in dark if number}
    return labels, [
        Piece(x, y, width, height, area, [number])
        for number, (x, y, width, height, area) in boxes.items()
    ]
