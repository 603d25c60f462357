"""Pages that lie on their side or on their head: looked at after they are turned."""

from dataclasses import dataclass, replace

import numpy as np

from worker.arrays import Pixels
from worker.images.finding import Glyph, Page
from worker.images.shapes import Shape
from worker.images.sheets import find_ink_on_sheets

TURNS = (90, 180, 270)  # degrees, clockwise
ON_ITS_HEAD = 180


@dataclass(frozen=True, kw_only=True)
class TurnedPage(Page):
    """The ink of an image that was turned; its glyphs' boxes are in the image before it was.

    page: of the turned image; degrees: one of TURNS.
    """

    page: Page
    degrees: int

    @property
    def is_cut_out(self) -> bool:
        """Whether the image was cut out closely around its ink."""
        return self.page.is_cut_out

    def glyph(self, shape: Shape, line: int) -> Glyph:
        """Return a shape as a digit of the image as it was before it was turned."""
        glyph = self.page.glyph(shape, line)
        x, y, width, height = glyph.box
        high, wide = self.page.size
        box = {
            90: (y, wide - x - width, height, width),
            180: (wide - x - width, high - y - height, width, height),
            270: (high - y - height, x, height, width),
        }[self.degrees]
        return replace(glyph, box=box)

    def sides(self, shape: Shape, line: int) -> set[str]:
        """Return at which sides of the turned image a shape's ink reaches the rim."""
        return self.page.sides(shape, line)


def pixels_turned(pixels: Pixels, degrees: int) -> Pixels:
    """Turn pixels, shape (height, width), clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, -degrees // 90))


def find_ink_turned(grey: Pixels, degrees: int) -> Page:
    """Turn an image clockwise, by one of TURNS, and find the shapes in it that may be digits.

    Args:
        grey: uint8, shape (height, width), of any polarity.
    """
    page = find_ink_on_sheets(pixels_turned(grey, degrees))
    size = grey.shape[0], grey.shape[1]
    return TurnedPage(
        page.lines,
        page.scale,
        size,
        page.too_many,
        is_cut=page.is_cut,
        has_fraction=page.has_fraction,
        page=page,
        degrees=degrees,
    )
