"""The lines of an upload's digits, and its reading with what people corrected."""

from collections.abc import Iterable
from itertools import groupby

from digits.models import Digit, Upload
from digits.models.corrections import NOT_A_DIGIT


def lines_of(digits: Iterable[Digit]) -> list[list[Digit]]:
    """Return an upload's digits, given in reading order, line by line."""
    return [list(line) for _, line in groupby(digits, key=lambda digit: digit.line)]


def corrected_reading(upload: Upload, digits: list[Digit]) -> str:
    """Return the reading as people corrected it; empty where they left it as it is.

    digits: all of the upload's, in reading order, with their predictions.
    """
    if all(digit.label is None for digit in digits):
        return ""
    words = ("".join(map(_sign, line)) for line in lines_of(digits))
    text = " ".join(word for word in words if word)
    return "" if text == upload.reading else text or "not a digit"


def _sign(digit: Digit) -> str:
    label = digit.label
    if label is None and digit.read_as is not None:
        label = digit.read_as.label
    return "" if label in (None, NOT_A_DIGIT) else str(label)
