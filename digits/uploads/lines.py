"""The lines of an upload's digits, and its reading with what people corrected."""

from digits.models import Digit, Upload
from digits.models.corrections import NOT_A_DIGIT


def lines_of(upload: Upload, digits: list[Digit]) -> list[list[Digit]]:
    """Put an upload's digits into its lines, as its reading has them.

    The reading has a space between two lines, and nothing for what is "not a digit": that stays
    in the line of what is before it, unless it begins no further right than that.

    Args:
        digits: all of the upload's, in reading order, with their predictions.
    """
    lines: list[list[Digit]] = []
    text, previous, line_is_read = upload.reading, None, False
    for digit in digits:
        read = digit.read_as is not None and digit.read_as.value is not None
        is_left = previous is None or digit.x <= previous.x
        begins = text.startswith(" ") if read and line_is_read else is_left
        if begins or not lines:
            lines.append([])
            line_is_read = False
        if read:
            text = text.removeprefix(" ")[1:]
        lines[-1].append(digit)
        line_is_read |= read
        previous = digit
    return lines


def corrected_reading(upload: Upload, digits: list[Digit]) -> str:
    """Give the reading as people corrected it; empty where they left it as it is."""
    if all(digit.label is None for digit in digits):
        return ""
    words = ("".join(map(_sign, line)) for line in lines_of(upload, digits))
    text = " ".join(word for word in words if word)
    return "" if text == upload.reading else text or "not a digit"


def _sign(digit: Digit) -> str:
    label = digit.label
    if label is None and digit.read_as is not None:
        label = digit.read_as.label
    return "" if label in (None, NOT_A_DIGIT) else str(label)
