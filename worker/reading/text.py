"""Digits as text: with what is written between them, and with a space between two lines."""

from collections.abc import Iterable
from itertools import groupby

LONGEST_BETWEEN = 8  # characters that are written between two digits: marks and spaces


def joined(digits: Iterable[tuple[int, str, str, str]]) -> str:
    """Return digits as text.

    Args:
        digits: in reading order, for each the number of its line, what is written before it, its
            sign, which is empty for what is not a digit, and what is written after it.
    """
    words: list[str] = []
    for _, own in groupby(digits, key=lambda digit: digit[0]):
        line = list(own)
        if any(sign for _, _, sign, _ in line):
            words += "".join(part for _, *parts in line for part in parts).split()
    return " ".join(words)
