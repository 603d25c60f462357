"""The boxes in a picture, and the text of each."""

from dataclasses import dataclass

from digits.models import Digit, Upload

TEXT = 0.05  # the height of the text, as a share of the picture's longer side


@dataclass(frozen=True)
class Box:
    """The box of a digit in pixels of the picture, and its reading.

    text: the digit; empty for "not a digit".
    text_x, text_y: the left end of the text's base line.
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
    """Return an upload's boxes in reading order. The text is above a box, or inside it at the upper
    edge of the picture."""
    size = round(TEXT * max(upload.width or 0, upload.height or 0), 1)
    return [_box(digit, size) for digit in digits]


def _box(digit: Digit, size: float) -> Box:
    read = digit.read_as
    text = "" if read is None or read.value is None else read.text
    above = digit.y - 0.2 * size
    y = above if above >= 0.75 * size else digit.y + 0.9 * size
    place = (digit.x, digit.y, digit.width, digit.height)
    return Box(*place, text, digit.x + 0.1 * size, round(y, 1), size)
