"""What stands between the digits of a line: marks, and spaces where a gap is wide."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from worker.images.marks import RULE, Mark
from worker.images.shapes import Shape
from worker.reading.text import LONGEST_BETWEEN

# Tuned on benchmarks.complaints (between, seed 1), while the evenly spaced boxes of its outlined
# pages (seed 1) and the pages of benchmarks.collections (seed 1) were looked at: no gap in those is
# wide. Gaps are shares of the digits' height.
WIDER = 2.5  # times as wide as the narrow gaps of the page: a space,
LEAST = 0.7  # which is at least so wide;
EVEN = 1.35  # in cells, a 1 has wide gaps, but its middle is no farther from that of the next
CERTAIN = 2.2  # one that is as wide as this is a space in any case,
SMALLER = 0.75  # the height of a power as a share of that of the digit before it,
HALF = 0.55  # whose upper half it stands beside
FEWEST_CELLS = 2  # of a page that hold several digits: its rules are those of a table
ALONE = 1.5  # or as this, where there is no other gap to compare it with

Token = Shape | Mark


def with_spaces(
    lines: Sequence[Sequence[Shape]], marks: Sequence[Sequence[Mark]]
) -> list[list[tuple[str, str]]]:
    """Return what is written before and after each digit of a page's lines.

    Args:
        lines: the digits of each line, from left to right.
        marks: those of each line.

    Returns:
        For each digit, what stands between the one before it and itself, marks and a space; and
        what stands after it, which is empty but for the last digit of its line.
    """
    tokens = [
        _in_order([*line, *(mark for mark in own if mark.sign and mark.sign != RULE)])
        for line, own in zip(lines, marks, strict=True)
    ]
    rules = [[mark.middle for mark in own if mark.sign == RULE] for own in marks]
    gaps = [_gaps(line) for line in tokens]
    steps = [_steps(line) for line in tokens]
    least = _least([gap for line in gaps for gap in line])
    longest = EVEN * float(np.median([step for line in steps for step in line] or [0]))
    wide = [
        [a >= CERTAIN or (a >= least and b >= longest) for a, b in zip(gap, step, strict=True)]
        for gap, step in zip(gaps, steps, strict=True)
    ]
    if _is_table(lines, rules):
        wide = [
            [a or b for a, b in zip(own, _ruled(line, of_line), strict=True)]
            for own, line, of_line in zip(wide, tokens, rules, strict=True)
        ]
    return [_around(line, own) for line, own in zip(tokens, wide, strict=True)]


def _is_table(lines: Sequence[Sequence[Shape]], rules: list[list[float]]) -> bool:
    """Return whether rules stand between numbers; between the boxes of digits there are some, too,
    but each of those holds one digit."""
    filled = [
        count
        for line, own in zip(lines, rules, strict=True)
        if own
        for count in np.bincount(np.searchsorted(own, [_middle(one) for one in line]))
    ]
    return len([count for count in filled if count > 1]) >= FEWEST_CELLS


def _ruled(tokens: list[Token], rules: list[float]) -> list[bool]:
    """Return of each two of a line whether there is a rule between them."""
    middles = [_middle(one) for one in tokens]
    return [any(a < rule < b for rule in rules) for a, b in pairwise(middles)]


def _middle(token: Token) -> float:
    return token.x + token.width / 2


def is_raised(line: Sequence[Shape]) -> bool:
    """Return whether a digit of a line stands higher than the one before it, as a power does."""
    return any(
        two.height <= SMALLER * one.height
        and two.y + two.height <= one.y + HALF * one.height
        and two.x + two.width / 2 > one.x + one.width
        for one, two in pairwise(line)
    )


def _in_order(tokens: list[Token]) -> list[Token]:
    return sorted(tokens, key=_middle)


def _gaps(tokens: list[Token]) -> list[float]:
    """Return the gap between each two of a line, in heights of its digits."""
    height = _height(tokens)
    return [(two.x - one.x - one.width) / height for one, two in pairwise(tokens)]


def _steps(tokens: list[Token]) -> list[float]:
    """Return how far the middles of each two of a line are apart, in heights of its digits."""
    height = _height(tokens)
    middles = [_middle(one) for one in tokens]
    return [(two - one) / height for one, two in pairwise(middles)]


def _height(tokens: list[Token]) -> float:
    return float(np.median([one.height for one in tokens if isinstance(one, Shape)] or [1]))


def _least(gaps: list[float]) -> float:
    """Return how wide a gap is at least that is a space, by all the gaps of a page."""
    if len(gaps) < 2:
        return ALONE
    return min(max(LEAST, WIDER * sorted(gaps)[len(gaps) // 4]), CERTAIN)


def _around(tokens: list[Token], wide: list[bool]) -> list[tuple[str, str]]:
    """Return what is written before and after each digit of a line."""
    found: list[tuple[str, str]] = []
    written = ""
    for one, is_wide in zip(tokens, [False, *wide], strict=True):
        written += " " if is_wide else ""
        if isinstance(one, Shape):
            found.append((written[-LONGEST_BETWEEN:], ""))
            written = ""
        else:
            written += one.sign
    if found and written:
        found[-1] = found[-1][0], written[:LONGEST_BETWEEN]
    return found
