"""How version 0.1 found the lines of a reading. Frozen: migrations use it for old rows.

An upload has a reading; its digits, in reading order, have x, label, and read_as with value and
label.
"""

from types import SimpleNamespace

NOT_A_DIGIT = 10


def as_read(digit) -> SimpleNamespace:
    """Return a row of a migration's Digit with its first prediction, as the functions want it."""
    first = min(digit.predictions.all(), key=lambda prediction: prediction.pk, default=None)
    read_as = first and SimpleNamespace(
        value=first.value, label=NOT_A_DIGIT if first.value is None else first.value
    )
    return SimpleNamespace(pk=digit.pk, x=digit.x, label=digit.label, read_as=read_as)


def lines_of(upload, digits) -> list[list]:
    """Put an upload's digits into its lines.

    The reading has a space between two lines, and nothing for what is "not a digit": that stays
    in the line of what is before it, unless it begins no further right than that.
    """
    lines, text, previous, line_is_read = [], upload.reading, None, False
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


def corrected_reading(upload, digits) -> str:
    """Return the reading as people corrected it; empty where they left it as it is."""
    if all(digit.label is None for digit in digits):
        return ""
    words = ("".join(map(_sign, line)) for line in lines_of(upload, digits))
    text = " ".join(word for word in words if word)
    return "" if text == upload.reading else text or "not a digit"


def _sign(digit) -> str:
    label = digit.label
    if label is None and digit.read_as is not None:
        label = digit.read_as.label
    return "" if label in (None, NOT_A_DIGIT) else str(label)
