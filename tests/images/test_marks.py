"""What stands between digits: marks and gaps are shown, and what is struck out is left out."""

import cv2
import numpy as np
import pytest

from benchmarks.complaints import scenes_of, text_of
from tests.pictures import in_lines
from tests.readings import read
from worker.images.struck import is_struck_out
from worker.reading.cautions import RAISED, SLASH_MAYBE, STRUCK_OUT

TALL, TOP = 60, 40
FOOT = TOP + TALL
ROWS = {7: 0, 2: 1, 1: 2, 0: 3, 4: 4, 9: 9, 3: 18}  # of MNIST's test images


class Writing:
    """A line of MNIST's digits, 60 pixels high, with room for what is drawn between them."""

    def __init__(self, mnist):
        self.mnist, self.x = mnist, 40
        self.page = np.full((150, 900), 240, np.uint8)

    def digits(self, text: str) -> "Writing":
        for sign in text:
            image = self.mnist.images[ROWS[int(sign)]]
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            width = round(ink.shape[1] * TALL / len(ink))
            large = cv2.resize(ink, (width, TALL), interpolation=cv2.INTER_CUBIC)
            place = self.page[TOP:FOOT, self.x : self.x + width]
            place[:] = np.minimum(place, 240 - (large.astype(int) * 200 // 255))
            self.x += width + 12
        return self

    def line(self, start, end, thick: int = 6) -> "Writing":
        """Draw a line between places given from where the next digit would stand, and the top."""
        ends = [(self.x + round(x), TOP + round(y)) for x, y in (start, end)]
        cv2.line(self.page, *ends, 40, thick, cv2.LINE_AA)
        self.x += round(max(start[0], end[0])) + 14
        return self

    def dot(self, y: float, radius: int = 5) -> "Writing":
        cv2.circle(self.page, (self.x + radius, TOP + round(y)), radius, 40, -1, cv2.LINE_AA)
        return self

    def gap(self, width: int) -> "Writing":
        self.x += width
        return self


@pytest.fixture
def writing(mnist):
    return Writing(mnist)


@pytest.mark.parametrize("radius", [4, 6])
def test_a_decimal_point_is_shown(engine, writing, radius):
    writing.digits("72").dot(TALL - 3, radius).gap(24).digits("10")
    assert read(engine, writing.page).text == "72.10"


@pytest.mark.parametrize("lean", [0, 8])
def test_a_comma_is_shown(engine, writing, lean):
    writing.digits("42").gap(4).line((lean, 55), (0, 74), 6).digits("93")
    assert read(engine, writing.page).text == "42,93"


@pytest.mark.parametrize("width", [18, 40])
def test_a_minus_is_shown_before_and_between_numbers(engine, writing, width):
    writing.line((0, 32), (width, 29)).digits("72").line((4, 30), (width, 32)).digits("40")
    assert read(engine, writing.page).text == "-72-40"


def test_slashes_of_a_date_are_shown(engine, writing):
    writing.digits("23").line((0, 68), (26, -8)).digits("07").line((0, 66), (24, -10)).digits("49")
    assert read(engine, writing.page).text == "23/07/49"


@pytest.mark.parametrize("low", ["first", "second"])
def test_a_low_slash_that_makes_a_date_with_a_high_one_is_shown(engine, writing, low):
    high, short = ((0, 74), (28, -16)), ((0, 61), (13, -1))
    first, second = (short, high) if low == "first" else (high, short)
    writing.digits("23").line(*first).digits("07").line(*second).digits("49")
    assert read(engine, writing.page).text == "23/07/49"


def test_a_stroke_that_may_be_a_slash_is_said(engine, writing):
    writing.digits("23").line((0, 60), (11, 0)).digits("07")
    reading = read(engine, writing.page)
    assert (reading.text, reading.cautions) == ("23107", (SLASH_MAYBE,))


def test_a_power_is_said(engine, writing):
    writing.digits("7")
    two = cv2.resize(writing.mnist.images[ROWS[2]][4:24, 4:24], (34, 34))
    writing.page[20:54, writing.x : writing.x + 34] = 240 - two.astype(int) * 200 // 255
    reading = read(engine, writing.page)
    assert (reading.text, reading.cautions) == ("72", (RAISED,))


def test_a_colon_is_shown(engine, writing):
    writing.digits("10").dot(22).dot(54).gap(24).digits("27")
    assert read(engine, writing.page).text == "10:27"


@pytest.mark.parametrize("gap", [60, 120, 300])
def test_a_wide_gap_is_a_space(engine, writing, gap):
    writing.digits("72").gap(gap).digits("903")
    assert read(engine, writing.page).text == "72 903"


def test_digits_with_even_wide_gaps_are_one_number(engine, mnist):
    page = in_lines(mnist, [[0, 1, 2, 3]])
    wide = np.full((len(page), 4 * 110 + 60), 250, np.uint8)
    for column in range(4):
        wide[:, 30 + column * 110 : 90 + column * 110] = page[
            :, 30 + column * 75 : 90 + column * 75
        ]
    assert read(engine, wide).text == "7210"


def test_a_speck_beside_a_lone_digit_is_no_decimal_point(engine, writing):
    writing.digits("7").dot(TALL - 3)
    assert read(engine, writing.page).text == "7"


@pytest.mark.parametrize(
    "strokes", [[(0.5, 0.45)], [(0.35, 0.6), (0.6, 0.4)], [(-0.1, 1.1), (1.1, -0.1)]]
)
def test_a_digit_that_is_struck_out_is_left_out_and_said(engine, writing, strokes):
    writing.digits("72").gap(14)
    left = writing.x
    writing.digits("3")
    right = writing.x - 12
    for start, end in strokes:
        ends = (left - 10, TOP + round(start * TALL)), (right + 10, TOP + round(end * TALL))
        cv2.line(writing.page, *ends, 40, 5, cv2.LINE_AA)
    writing.gap(14).digits("90")
    reading = read(engine, writing.page)
    assert reading.text == "7290"
    assert reading.cautions == (STRUCK_OUT,)
    assert [digit.value for digit in reading.digits] == [7, 2, None, 9, 0]


def test_a_4_with_a_bar_that_stands_out_is_not_struck_out(engine, writing):
    writing.digits("72").gap(20)
    for start, end in (((0, 38), (44, 38)), ((30, 0), (30, 60)), ((22, 0), (6, 38))):
        ends = [(writing.x + x, TOP + y) for x, y in (start, end)]
        cv2.line(writing.page, *ends, 40, 6, cv2.LINE_AA)
    writing.gap(60).digits("10")
    assert read(engine, writing.page).text == "72410"


def test_few_of_mnists_digits_look_struck_out(mnist):
    seen = [is_struck_out(cv2.resize(image, (56, 56)) > 60) for image in mnist.images[:1000]]
    assert sum(seen) <= 5


def test_punch_holes_are_no_0(engine, writing):
    writing.gap(60).digits("4093")
    page = np.pad(writing.page, ((60, 60), (0, 0)), constant_values=240)
    for y in (40, 230):
        cv2.circle(page, (34, y), 16, 40, -1, cv2.LINE_AA)
    assert read(engine, page).text == "4093"


def test_a_column_of_zeros_is_no_row_of_punch_holes(engine, mnist):
    page = in_lines(mnist, [[3, 1], [10, 2], [13, 0]])
    assert read(engine, page).text == "02 01 07"


def test_nine_of_ten_pages_with_something_between_digits_are_read(engine):
    scenes = scenes_of("between", 100, seed=2)
    assert sum(text_of(engine, scene) == scene.text for scene in scenes) >= 90
