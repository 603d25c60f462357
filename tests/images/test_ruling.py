"""Rules that are taken out of the ink: those of a table part its numbers, a bar is said."""

import cv2
import numpy as np
import pytest

from tests.pictures import in_lines
from tests.readings import read
from worker.images.ruling import has_fraction, rules_between
from worker.images.shapes import Shape
from worker.reading.cautions import FRACTION

STEP, ROW = 75, 112  # between the digits and the rows of tests.pictures.in_lines, at 60 pixels


def ruled(page: np.ndarray, columns: list[int], rows: list[int], thick: int) -> np.ndarray:
    """Draw rules after so many of the digits of a page by in_lines, and between its lines."""
    xs, ys = [22 + STEP * n for n in columns], [4 + ROW * n for n in rows]
    for x in xs:
        cv2.line(page, (x, ys[0]), (x, ys[-1]), 60, thick)
    for y in ys:
        cv2.line(page, (xs[0], y), (xs[-1], y), 60, thick)
    return page


@pytest.mark.parametrize("thick", [2, 4])
def test_numbers_in_the_cells_of_a_table_are_parted(engine, mnist, thick):
    page = in_lines(mnist, [[0, 1, 2, 3], [4, 7, 11, 17]])
    plain = read(engine, page).text
    assert [len(line) for line in plain.split()] == [4, 4]
    parted = " ".join(f"{line[:2]} {line[2:]}" for line in plain.split())
    assert read(engine, ruled(page, [0, 2, 4], [0, 1, 2], thick)).text == parted


def test_a_table_that_fills_the_picture_is_read(engine, mnist):
    page = in_lines(mnist, [[0, 1, 2, 3], [4, 7, 11, 17], [26, 34, 36, 41]])[4:340, 20:325]
    plain = read(engine, page).text
    page = page.copy()
    for x in (2, 152, 302):
        cv2.line(page, (x, 1), (x, 334), 60, 3)
    for y in (1, 112, 224, 334):
        cv2.line(page, (2, y), (302, y), 60, 3)
    parted = " ".join(f"{line[:2]} {line[2:]}" for line in plain.split())
    assert read(engine, page).text == parted


def test_digits_in_boxes_of_their_own_are_one_number(engine, mnist):
    page = in_lines(mnist, [[0, 1, 2, 3]])
    plain = read(engine, page).text
    assert read(engine, ruled(page, [0, 1, 2, 3, 4], [0, 1], 2)).text == plain


def test_squared_paper_parts_nothing(engine, mnist):
    page = in_lines(mnist, [[0, 1, 2, 3, 4, 7], [11, 17, 26, 34, 36, 41]])
    plain = read(engine, page).text
    for at in range(8, max(page.shape), 26):
        page[at : at + 1] = np.minimum(page[at : at + 1], 190)
        page[:, at : at + 1] = np.minimum(page[:, at : at + 1], 190)
    assert read(engine, page).text == plain


def above_each_other(mnist, over: list[int], under: list[int]) -> np.ndarray:
    return np.vstack([in_lines(mnist, [over])[:105], in_lines(mnist, [under])[15:120]])


@pytest.mark.parametrize(("over", "under"), [([0], [1]), ([0, 1], [2, 3])])
@pytest.mark.parametrize("thick", [3, 6])
def test_a_bar_between_two_numbers_is_said(engine, mnist, over, under, thick):
    page = above_each_other(mnist, over, under)
    middle = len(page) // 2
    cv2.line(page, (25, middle), (page.shape[1] - 25, middle), 40, thick)
    reading = read(engine, page)
    digits = "".join(map(str, mnist.labels[over + under]))
    assert (reading.text.replace(" ", ""), reading.cautions) == (digits, (FRACTION,))


def test_lines_without_a_bar_are_no_fraction(engine, mnist):
    assert read(engine, above_each_other(mnist, [0], [1])).cautions == ()


def square(x: int, y: int, side: int = 40) -> Shape:
    return Shape(x, y, np.full((side, side), 255, np.uint8))


def test_a_line_far_longer_than_its_numbers_is_no_bar():
    other = np.zeros((200, 600), bool)
    lines = [[square(280, 30)], [square(280, 110)]]
    other[90:93, 270:330] = True
    assert has_fraction(lines, other)
    other[90:93, 20:580] = True
    assert not has_fraction(lines, other)


def test_a_short_dash_between_two_digits_is_no_rule():
    drawn = np.zeros((100, 200), bool)
    line = [square(20, 30), square(120, 30)]
    drawn[45:55, 80:83] = True
    assert rules_between([line], drawn) == [[]]
    drawn[20:80, 80:83] = True
    ((rule,),) = rules_between([line], drawn)
    assert (rule.sign, rule.middle) == ("|", 81.5)
