"""Nothing is left out in silence: what a reading says about itself."""

import cv2
import numpy as np
import pytest

from tests.pictures import in_lines
from tests.readings import read
from worker.images import layout
from worker.reading.cautions import (
    AT_EDGE,
    MORE_PAGES,
    MOVING,
    NOT_DIGITS,
    TEXTS,
    TOO_MANY,
    cautions,
    in_words,
)


@pytest.fixture
def page(mnist):
    """72101 in a line, with room around."""
    return in_lines(mnist, [[0, 1, 2, 3, 5]])


def test_a_plain_page_has_none(engine, page):
    assert read(engine, page).cautions == ()


@pytest.mark.parametrize(
    ("side", "cut"),
    [
        ("left", np.s_[:, 46:]),
        ("top", np.s_[42:]),
        ("bottom", np.s_[:78]),
        ("right", np.s_[:, : 30 + 4 * 75 + 30]),
    ],
)
def test_a_digit_at_the_edge_is_read_and_said_to_be_cut(engine, page, side, cut):
    reading = read(engine, page[cut])
    assert reading.cautions == (AT_EDGE,)
    assert len(reading.text) == 5


def test_a_picture_that_is_cut_out_closely_has_none(engine, page, mnist):
    dark = page < 100
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    close = page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert read(engine, close).cautions == ()
    assert read(engine, mnist.images[0]).cautions == ()


def test_a_number_in_a_soft_pen_that_is_cut_out_closely_is_read_whole(engine, mnist):
    """Its digits touch the rim, and their edges are as soft as those of shade."""
    page = cv2.GaussianBlur(in_lines(mnist, [[0, 1, 2, 3, 5]], size=140), (0, 0), 2)
    dark = page < 170
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    close = page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    reading = read(engine, close)
    assert reading.text == "72101"
    assert reading.cautions == ()


def test_a_lone_piece_of_a_digit_at_the_edge_is_said(engine, mnist):
    board = np.full((300, 300), 255, np.uint8)
    digit = cv2.resize(255 - mnist.images[3], (200, 200))  # a 0
    board[:70, 50:250] = digit[130:]
    reading = read(engine, board)
    assert reading.text != "0"
    assert reading.cautions == (AT_EDGE,)


def test_tips_of_digits_that_the_edge_cuts_are_said(engine, mnist):
    """All that is left of the line above are slivers, which are no digits."""
    page = in_lines(mnist, [[0, 1, 2, 3, 5], [0, 1, 2, 3, 5]])
    reading = read(engine, page[72:])
    assert reading.text == "72101"
    assert AT_EDGE in reading.cautions


def test_a_full_page_is_read_whole(engine, mnist):
    rows = np.random.default_rng(1).integers(0, 1000, (15, 20))
    reading = read(engine, in_lines(mnist, rows.tolist(), size=40))
    assert reading.cautions == ()
    truth = "".join(str(mnist.labels[row]) for row in rows.ravel())
    found = reading.text.replace(" ", "")
    assert len(found) == 300
    assert sum(a == b for a, b in zip(found, truth, strict=True)) >= 294


def test_of_too_many_pieces_the_largest_are_read_and_the_rest_is_said(engine):
    noise = np.full((800, 800), 250, np.uint8)
    for y in range(8, 790, 20):
        for x in range(8, 790, 20):
            noise[y : y + 12, x : x + 4] = 10
    reading = read(engine, noise)
    assert TOO_MANY in reading.cautions
    assert len(reading.digits) == layout.MOST_PIECES


def test_too_many_pieces_are_said_where_small_ink_is_looked_at_from_nearer(engine):
    page = np.full((2400, 2400), 250, np.uint8)
    for y in range(200, 200 + 33 * 51, 51):
        for x in range(200, 200 + 33 * 51, 51):
            page[y : y + 33, x : x + 14] = 10
    reading = read(engine, page)
    assert TOO_MANY in reading.cautions
    assert len(reading.digits) == layout.MOST_PIECES


def test_what_is_no_digit_beside_digits_is_said_and_counts(engine, mnist):
    page = in_lines(mnist, [[0, 1, 2, 3, 5]])
    letter = np.full((60, 60), 250, np.uint8)
    cv2.putText(letter, "M", (6, 52), 0, 2, 20, 5)
    page[30:90, 30 + 2 * 75 : 90 + 2 * 75] = letter
    reading = read(engine, page)
    assert reading.text == "7201"
    assert reading.cautions == (NOT_DIGITS,)
    assert reading.confidence == min(digit.confidence for digit in reading.digits)


def blot(page: np.ndarray, x: int, y: int) -> None:
    cv2.ellipse(page, (x, y), (34, 27), 20, 0, 360, 20, -1)


def spiral(page: np.ndarray, x: int, y: int) -> None:
    angle = np.linspace(0, 6 * np.pi, 200)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.linspace(2, 33, 200)[:, None]
    cv2.polylines(page, [np.rint(points + np.array([x, y])).astype(np.int32)], False, 20, 3)


def star(page: np.ndarray, x: int, y: int) -> None:
    angle = np.arange(6) * 4 * np.pi / 5 - np.pi / 2
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 33 + np.array([x, y])
    cv2.polylines(page, [np.rint(points).astype(np.int32)], False, 20, 3)


@pytest.mark.parametrize("draw", [blot, spiral, star])
def test_a_doodle_beside_digits_is_not_read_and_said(engine, mnist, draw):
    page = np.pad(in_lines(mnist, [[0, 1, 2, 3, 5]]), ((0, 0), (0, 90)), constant_values=250)
    draw(page, page.shape[1] - 60, 60)
    reading = read(engine, page)
    assert reading.text == "72101"
    assert reading.cautions == (NOT_DIGITS,)


def test_the_rules_for_the_rim():
    assert cautions([True], [{"left"}]) == (AT_EDGE,)
    assert cautions([True], [{"left", "right"}]) == ()
    assert cautions([True, True], [{"left", "top"}, {"right", "bottom"}]) == ()
    assert cautions([True, True], [{"top", "bottom"}, set()]) == (AT_EDGE,)
    assert cautions([False], [{"left"}]) == (AT_EDGE,)
    assert cautions([True], [set()], is_cut=True) == (AT_EDGE,)
    assert cautions([True, True], [{"left"}, set()], is_cut_out=True) == ()
    assert cautions([False], [{"left"}], is_cut_out=True) == (AT_EDGE,)
    assert cautions([], [], more_pages=True, is_moving=True) == (MORE_PAGES, MOVING)


def test_codes_are_said_in_words():
    assert in_words("too_many at_edge") == [TEXTS[TOO_MANY], TEXTS[AT_EDGE]]
    assert in_words("") == in_words("of_a_later_version") == []
