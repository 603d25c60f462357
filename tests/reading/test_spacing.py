"""Which gaps between digits are spaces, and how marks go into the text."""

import numpy as np
import pytest

from worker.images.marks import Mark
from worker.images.shapes import Shape
from worker.reading.spacing import with_spaces
from worker.reading.text import LONGEST_BETWEEN, joined

WIDTH, HEIGHT = 24, 40


def shapes(*gaps: int) -> list[Shape]:
    """A first digit, and one more after each of these gaps in pixels."""
    places = np.cumsum([0, *(WIDTH + gap for gap in gaps)])
    return [Shape(int(x), 0, np.full((HEIGHT, WIDTH), 255, np.uint8)) for x in places]


def before(*lines: list[Shape]) -> list[list[str]]:
    return [[one for one, _ in line] for line in with_spaces(lines, [[] for _ in lines])]


def test_narrow_gaps_are_no_spaces():
    assert before(shapes(4, 10, 6)) == [["", "", "", ""]]


@pytest.mark.parametrize("gap", [50, 200])
def test_a_gap_that_is_wider_than_the_others_is_a_space(gap):
    assert before(shapes(6, gap, 8)) == [["", "", " ", ""]]


def test_gaps_of_other_lines_tell_what_is_wide():
    assert before(shapes(40), shapes(6, 8)) == [["", " "], ["", "", ""]]
    assert before(shapes(40)) == [["", ""]]


def test_even_gaps_are_no_spaces_unless_they_are_very_wide():
    assert before(shapes(60, 64, 56)) == [["", "", "", ""]]
    assert before(shapes(160, 164, 156)) == [["", " ", " ", " "]]


def test_marks_stand_before_the_digit_that_follows_or_at_the_end():
    digits = shapes(20, 20)
    point, minus = Mark(".", 31, 34, 6, 6), Mark("-", 118, 20, 10, 4)
    assert with_spaces([digits], [[point, minus]]) == [[("", ""), (".", ""), ("", "-")]]


def test_rules_between_numbers_are_spaces():
    digits = shapes(6, 12, 6)
    rule = Mark("|", 76, 0, 2, 60)
    written = with_spaces([digits], [[rule]])
    assert [one for one, _ in written[0]] == ["", "", " ", ""]


def test_rules_between_single_digits_are_none():
    digits = shapes(20, 20, 20)
    rules = [Mark("|", 32 + 44 * n, 0, 2, 60) for n in range(3)]
    ((*written,),) = with_spaces([digits], [rules])
    assert [one for one, _ in written] == ["", "", "", ""]


def test_a_row_of_many_marks_is_cut():
    digits = shapes(900)
    points = [Mark(".", 30 + 40 * n, 34, 6, 6) for n in range(20)]
    ((_, (written, _)),) = with_spaces([digits], [points])
    assert len(written) == LONGEST_BETWEEN


def test_text_has_one_space_between_words_and_no_line_without_digits():
    digits = [
        (0, " -", "1", ""),
        (0, " ", "2", "."),
        (1, ".", "", ""),
        (2, "", "", ""),
        (2, " ", "3", ""),
    ]
    assert joined(digits) == "-1 2. 3"


def test_a_1_in_the_middle_of_its_cell_has_no_space_beside_it():
    digits = shapes(10, 12, 16, 16, 10)
    one = digits[3]
    digits[3] = Shape(one.x + 8, 0, one.ink[:, 8:16])
    digits = [*digits[:3], digits[3], *(Shape(d.x + 6, 0, d.ink) for d in digits[4:])]
    assert before(digits) == [[""] * 6]
