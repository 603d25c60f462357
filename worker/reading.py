"""Image files -> readings: the path that the site, the commands and the notebook share."""

from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from PIL import Image

from worker.decoding import MAX_PIXELS, ImageError, Picture, decode, to_grey
from worker.images import Glyph, find_digits


@dataclass(frozen=True)
class ReadDigit:
    """One digit and what the model said of it.

    value: 0 to 9, or None for "not a digit".
    confidence: the probability of the value.
    probabilities: of 0 to 9, float32, shape (10,).
    """

    value: int | None
    confidence: float
    probabilities: np.ndarray
    glyph: Glyph


@dataclass(frozen=True)
class Reading:
    """The answer for one image: its digits in reading order, or the error that stopped it.

    image: the decoded image: RGB, upright, perhaps reduced.
    width, height: the size of the whole, upright image; boxes are in its pixels.
    """

    digits: list[ReadDigit] = field(default_factory=list)
    error: ImageError | None = None
    image: Image.Image | None = None
    width: int = 0
    height: int = 0

    @property
    def text(self) -> str:
        """The digits as text; a space stands between two lines."""
        lines = groupby(self.digits, key=lambda digit: digit.glyph.line)
        words = ("".join(str(d.value) for d in line if d.value is not None) for _, line in lines)
        return " ".join(word for word in words if word)

    @property
    def confidence(self) -> float | None:
        """The confidence of the least sure digit; None where no digit was found."""
        return min((digit.confidence for digit in self.digits), default=None)


def read_images(engine, files: list[bytes], max_pixels: int = MAX_PIXELS) -> list[Reading]:
    """Read image files as one batch, each digit through the model once.

    Args:
        engine: the engine.Engine that reads.
        files: the contents of image files.
        max_pixels: images with more pixels are refused.

    Returns:
        One reading a file, in order. A file that cannot be read has an error, and spoils no other.
    """
    found = [_look(data, max_pixels) for data in files]
    glyphs = [glyph for _, glyphs, _ in found for glyph in glyphs]
    pixels = [glyph.pixels for glyph in glyphs]
    answers = iter(engine.predict(np.stack(pixels)) if pixels else ())
    return [
        _reading(picture, [_read_digit(glyph, next(answers)) for glyph in glyphs], error)
        for picture, glyphs, error in found
    ]


def _reading(picture: Picture | None, digits: list[ReadDigit], error) -> Reading:
    if picture is None:
        return Reading(error=error)
    return Reading(digits, None, picture.image, picture.width, picture.height)


def _look(data: bytes, max_pixels: int):
    try:
        picture = decode(data, max_pixels)
        return picture, _in_whole_image(find_digits(to_grey(picture.image)), picture), None
    except ImageError as error:
        return None, [], error


def _in_whole_image(glyphs: list[Glyph], picture: Picture) -> list[Glyph]:
    """Give the boxes in pixels of the image as it was sent, where a smaller one was looked at."""
    across = picture.width / picture.image.width
    along = picture.height / picture.image.height

    def scaled(x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        return round(x * across), round(y * along), round(width * across), round(height * along)

    return [replace(glyph, box=scaled(*glyph.box)) for glyph in glyphs]


def _read_digit(glyph: Glyph, probabilities: np.ndarray) -> ReadDigit:
    value = int(probabilities.argmax())
    return ReadDigit(value, float(probabilities[value]), probabilities, glyph)
