"""Several digits in one image: which ink is one digit, and in which order they are read."""

import cv2
import numpy as np
import pytest

from tests.pictures import in_lines, png
from worker.images.finding import find_digits
from worker.images.layout import MOST_PIECES, find_lines
from worker.reading.reading import read_images


def strokes(*lines, size=(200, 300)) -> np.ndarray:
    """Ink with one straight stroke for each (x, y, x, y)."""
    ink = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in lines:
        cv2.line(ink, (x0, y0), (x1, y1), 255, 5)
    return ink


def counts(ink: np.ndarray) -> list[int]:
    lines = find_lines(ink, 24).lines
    return [len(line) for line in lines]


def test_it_reads_several_lines_in_reading_order(mnist, engine):
    page = in_lines(mnist, [[0, 1, 2, 3], [4, 7, 11]])
    (reading,) = read_images(engine, [png(page)])
    truth = [mnist.labels[[0, 1, 2, 3]], mnist.labels[[4, 7, 11]]]
    assert reading.text == " ".join("".join(map(str, line)) for line in truth)
    assert [digit.glyph.line for digit in reading.digits] == [0, 0, 0, 0, 1, 1, 1]


def test_boxes_hold_their_digits(mnist):
    page = in_lines(mnist, [[0, 1, 2]])
    for number, glyph in enumerate(find_digits(page)):
        x, y, width, height = glyph.box
        assert 30 + 75 * number <= x + width / 2 <= 90 + 75 * number
        assert page[y : y + height, x : x + width].min() < 60


def test_a_line_may_climb():
    ink = strokes(*((20 + 40 * i, 120 - 12 * i, 20 + 40 * i, 170 - 12 * i) for i in range(6)))
    assert counts(ink) == [6]


def test_a_line_may_climb_as_steeply_as_its_digits_are_high():
    heights = (180, 158, 136, 114, 84, 56)  # the last ones no longer stand beside each other
    ink = strokes(*((20 + 40 * i, y - 30, 22 + 40 * i, y) for i, y in enumerate(heights)))
    assert counts(ink) == [6]


def test_digits_beside_several_that_touch_are_not_dropped_as_dirt():
    """However long these are together, and however much ink they have."""
    tangle = [(120 + 25 * i, 60, 140 + 25 * i, 120) for i in range(6)]
    bars = [(120, 90, 265, 90)]
    ink = strokes((30, 60, 30, 118), (70, 62, 72, 120), *tangle, *bars)
    assert counts(ink) == [3]


def test_a_slim_1_beside_broad_digits_is_not_dropped_as_an_edge():
    """The broad one's width, not its height, says that digits are larger than the 1."""
    ink = np.zeros((200, 400), np.uint8)
    cv2.rectangle(ink, (20, 50), (185, 150), 255, 16)
    ink[50:147, 300:305] = 255
    assert counts(ink) == [2]


def test_a_line_below_is_another_line():
    upper = ((20 + 40 * i, 60, 20 + 40 * i, 90) for i in range(6))
    lower = ((20 + 40 * i, 100, 20 + 40 * i, 130) for i in range(6))
    assert counts(strokes(*upper, *lower)) == [6, 6]


def test_a_broken_stroke_beside_a_whole_digit_is_one_digit():
    assert counts(strokes((100, 20, 100, 150), (100, 158, 100, 170), (200, 20, 200, 170))) == [2]


def test_the_bar_of_a_5_belongs_to_its_body():
    body = ((100, 60, 100, 110), (100, 110, 140, 110), (140, 110, 140, 170), (140, 170, 95, 170))
    assert counts(strokes(*body, (100, 40, 145, 40))) == [1]


def test_two_lines_close_together_stay_two():
    assert counts(strokes((50, 10, 50, 80), (50, 92, 50, 170), (90, 10, 90, 80))) == [2, 1]


def test_specks_and_dashes_are_not_digits():
    digits = ((50, 20, 50, 150), (120, 20, 120, 150))
    assert counts(strokes(*digits, (200, 80, 204, 84), (220, 100, 260, 100))) == [2]


def test_an_image_without_ink_has_no_lines():
    layout = find_lines(np.zeros((40, 40), np.uint8), 24)
    assert layout.lines == []
    assert layout.labels.max() == 0


def test_a_picture_full_of_specks_costs_little():
    """Joining compares pairs, and must not compare thousands of specks."""
    ink = np.zeros((800, 800), np.uint8)
    for y, x in np.ndindex(40, 40):
        ink[20 * y : 20 * y + 11, 20 * x : 20 * x + 11] = 255
    lines = find_lines(ink, 24).lines
    assert 0 < sum(map(len, lines)) <= MOST_PIECES


@pytest.mark.parametrize("along", ["bottom", "right"])
def test_a_line_of_one_pixel_along_the_rim_is_looked_at_like_any_other(along):
    ink = strokes((150, 60, 150, 140))
    if along == "bottom":
        ink[-1, 20:200] = 255
    else:
        ink[20:150, -1] = 255
    assert counts(ink) == [1]


def test_a_large_digit_that_the_rim_cuts_is_left_out_but_said_beside_a_small_piece():
    """The small piece tells nothing of how high digits are."""
    ink = np.zeros((280, 280), np.uint8)
    cv2.ellipse(ink, (150, 230), (60, 50), 0, 0, 360, 255, 25)
    ink[256:] = 0
    ink[230:250, 240:255] = 255
    found = find_lines(np.roll(ink, 24, axis=0), 24)
    assert found.is_cut or sum(map(len, found.lines)) == 2


def test_a_digit_that_the_rim_of_a_tiny_image_cuts_is_not_lost_for_a_speck():
    ink = np.zeros((28, 28), np.uint8)
    cv2.ellipse(ink, (12, 2), (6, 9), 0, 0, 360, 255, 2)
    ink[3:5, 11:14] = 255
    sizes = [piece.side for line in find_lines(ink, 4).lines for piece in line]
    assert max(sizes) >= 12


def test_a_page_of_shade_and_a_single_pixel_is_looked_at():
    ink = np.zeros((120, 120), np.uint8)
    ink[:, :40] = np.linspace(250, 0, 40, dtype=np.uint8)
    ink[60, 90] = 255
    assert len(find_lines(ink, 24).lines) <= 1


@pytest.mark.parametrize("flag", [28, 36])
def test_the_long_bar_of_a_5_belongs_to_it(flag):
    body = strokes((100, 60, 96, 80), (96, 80, 118, 90), (118, 90, 96, 110))
    bar = strokes((114, 58, 114 + flag, 56))
    assert counts(np.maximum(body, bar)) == [1]


def test_a_picture_of_small_pieces_is_noise_and_a_page_of_broken_strokes_is_not(mnist):
    noise = np.random.default_rng(1).random((120, 120)) < 0.3
    assert find_lines(noise.astype(np.uint8) * 255, 24).is_noise
    page = 255 - in_lines(mnist, [list(range(12)) for _ in range(10)], 40)
    assert not find_lines(np.where(page > 60, page, 0).astype(np.uint8), 24).is_noise
