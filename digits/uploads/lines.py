"""The lines of an upload's digits, and its reading with what people corrected."""

from collections.abc import Iterable
from itertools import groupby

from digits.models import Digit, Upload
from digits.models.corrections import NOT_A_DIGIT
from worker.reading.text import joined


def lines_of(digits: Iterable[Digit]) -> list[list[Digit]]:
    """Return an upload's digits, given in reading order, line by line."""
    return [list(line) for _, line in groupby(digits, key=lambda digit: digit.line)]


def reading_in_lines(upload: Upload, digits: list[Digit]) -> str:
    """Return the reading, with corrections, in the lines of the picture.

    digits: all of the upload's, in reading order, with their predictions.
    """
    lines = [_text(line) for line in lines_of(digits)]
    return "\n".join(line for line in lines if line) or upload.corrected or upload.reading


def corrected_reading(upload: Upload, digits: list[Digit]) -> str:
    """Return the reading as people corrected it; empty where they left it as it is.

    digits: all of the upload's, in reading order, with their predictions.
    """
    if all(digit.label is None for digit in digits):
        return ""
    text = _text(digits)
    return "" if text == upload.reading else text or "not a digit"


def _text(digits: Iterable[Digit]) -> str:
    return joined((digit.line, digit.before, _sign(digit), digit.after) for digit in digits)


def _sign(digit: Digit) -> str:
    label = digit.label
    if label is None and digit.read_as is not None:
        label = digit.read_as.label
    return "" if label in (None, NOT_A_DIGIT) else str(label)
