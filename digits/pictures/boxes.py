"""Where a picture's boxes stand, and what is written at each."""

from dataclasses import dataclass

from digits.models import Digit, Upload

TEXT = 0.05  # the height of what is written, of the picture's longer side


@dataclass(frozen=True)
class Box:
    """One digit's box in pixels of the picture, and what was read in it.

    text: the digit; empty for "not a digit".
    text_x, text_y: where its writing begins: the left end of its base line.
    """

    x: int
    y: int
    width: int
    height: int
    text: str
    text_x: float
    text_y: float
    text_size: float


def boxes_of(upload: Upload, digits: list[Digit]) -> list[Box]:
    """Give a read upload's boxes, in reading order, each with its digit above it or, at the upper
    rim of the picture, inside it."""
    size = round(TEXT * max(upload.width or 0, upload.height or 0), 1)
    return [_box(digit, size) for digit in digits]


def _box(digit: Digit, size: float) -> Box:
    read = digit.read_as
    text = "" if read is None or read.value is None else read.text
    above = digit.y - 0.2 * size
    y = above if above >= 0.75 * size else digit.y + 0.9 * size
    place = (digit.x, digit.y, digit.width, digit.height)
    return Box(*place, text, digit.x + 0.1 * size, round(y, 1), size)
