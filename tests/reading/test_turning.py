"""Pages that lie on their side or on their head are read; upright ones and lone digits stay."""

import numpy as np
import pytest

from tests.pictures import in_lines, on_paper, png
from worker.images.finding import find_ink
from worker.images.turned import find_ink_turned
from worker.reading.cautions import TURNED_MAYBE
from worker.reading.reading import CROWDED, VOTERS, read_images
from worker.reading.turning import (
    clearness,
    is_uncertain,
    may_be_turned,
    may_lie_on_its_head,
    upright,
)

# Two lines of MNIST's test digits.
LINES = [[0, 1, 2, 3], [4, 7, 11, 18]]
TEXT = "7210 4963"


@pytest.fixture
def page(mnist) -> np.ndarray:
    return in_lines(mnist, LINES, 60)


def test_an_upright_page_is_not_turned(engine, page):
    (reading,) = read_images(engine, [png(page)])
    assert reading.text == TEXT
    assert reading.turned == 0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_is_read_and_its_boxes_fit_it(engine, page, turn):
    """turn: degrees by which the page must be turned clockwise to be upright."""
    sent = np.rot90(page, turn // 90)
    (reading,) = read_images(engine, [png(sent)])
    assert reading.text == TEXT
    assert reading.turned == turn
    assert (reading.height, reading.width) == sent.shape
    ink = np.zeros(sent.shape, bool)
    for digit in reading.digits:
        x, y, width, height = digit.glyph.box
        assert (sent[y : y + height, x : x + width] < 128).any()
        ink[y : y + height, x : x + width] = True
    assert ink[sent < 128].all()


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_box_is_that_of_the_same_ink(page, turn):
    sent = np.rot90(page, turn // 90)
    turned, straight = find_ink_turned(sent, turn), find_ink(page)
    for number, line in enumerate(straight.lines):
        for own, shape in zip(line, turned.lines[number], strict=True):
            x, y, width, height = turned.glyph(shape, number).box
            place = np.zeros(sent.shape, bool)
            place[y : y + height, x : x + width] = True
            rows, columns = np.nonzero(np.rot90(place, -turn // 90))
            box = straight.glyph(own, number).box
            assert (columns.min(), rows.min()) == box[:2]
            assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == box[2:]


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_lone_digit_is_left_as_it_is(engine, mnist, turn):
    sent = [png(np.rot90(on_paper(mnist.images[index]), turn)) for index in (0, 7, 11)]
    assert [reading.turned for reading in read_images(engine, sent)] == [0, 0, 0]


def row(probability: float) -> np.ndarray:
    return np.array([probability, *[0.0] * 9], np.float32)


def test_only_a_page_of_several_unclear_digits_may_be_turned():
    assert not may_be_turned([])
    assert not may_be_turned([row(0.1)])
    assert not may_be_turned([row(0.99)] * 5)
    assert may_be_turned([row(0.99), row(0.99), row(0.5)])


def test_a_page_is_turned_only_where_it_is_much_clearer_then():
    unclear, clear, fair = [row(0.4)] * 4, [row(0.999)] * 4, [row(0.6)] * 4
    assert upright([unclear, fair, clear, []]) == 2
    assert upright([unclear, fair, unclear, []]) == 0
    assert upright([clear, clear, clear, clear]) == 0
    assert upright([[row(0.9)] * 2, [row(0.99)] * 2, [], []]) == 0
    assert upright([[row(0.01)] * 3, [row(1.0)], [], []]) == 0
    assert clearness([row(0.25), row(1.0)]) == pytest.approx(0.5)


def test_a_page_is_looked_at_on_its_head_where_one_of_several_digits_is_not_clear():
    assert not may_lie_on_its_head([])
    assert not may_lie_on_its_head([row(0.5)])
    assert not may_lie_on_its_head([row(0.995)] * 5)
    assert may_lie_on_its_head([row(0.9999), row(0.9999), row(0.98)])


def test_a_page_is_uncertain_where_it_is_rather_clear_on_its_head():
    nearly, clear, unclear = [row(0.97)] * 4, [row(0.9999)] * 4, [row(0.5)] * 4
    assert is_uncertain({0: nearly, 180: clear}, 0)
    assert not is_uncertain({0: nearly, 180: nearly}, 0)
    assert not is_uncertain({0: clear, 180: nearly}, 0)
    assert not is_uncertain({0: nearly, 180: [row(0.9999)]}, 0)
    assert not is_uncertain({0: [row(0.1)] * 4, 90: unclear, 180: unclear, 270: unclear}, 0)


def test_what_was_not_looked_at_the_other_way_round_is_certain():
    assert not is_uncertain({0: [], 90: []}, 90)


def test_a_page_that_was_turned_is_uncertain_where_it_reads_the_other_way_round():
    nearly, clear, unclear = [row(0.97)] * 4, [row(0.9999)] * 4, [row(0.5)] * 4
    assert is_uncertain({0: unclear, 90: clear, 180: unclear, 270: nearly}, 90)
    assert not is_uncertain({0: unclear, 90: clear, 180: nearly, 270: unclear}, 90)


def test_a_number_that_reads_on_its_head_is_said(engine, mnist):
    """Of 0, 6, 8 and 9: as it is sent it reads as another, and is clearer on its head."""
    said = {0: 0, 2: 0}
    for start in range(12):
        own = [n for n in range(start * 40, start * 40 + 400) if mnist.labels[n] in (0, 1, 6, 8, 9)]
        page = in_lines(mnist, [own[:5]], 60)
        for turn in said:
            (reading,) = read_images(engine, [png(np.rot90(page, turn))])
            is_said = TURNED_MAYBE in reading.cautions
            is_right = reading.text == "".join(str(mnist.labels[n]) for n in own[:5])
            said[turn] += is_said or (turn == 2 and is_right)
    assert said[0] <= 1
    assert said[2] >= 6


@pytest.mark.parametrize("lines", [7, 12])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_all_of_a_full_page_is_read_after_a_part_of_it_told_how_it_lies(
    engine, mnist, turns, lines
):
    page = in_lines(mnist, [list(range(line * 8, line * 8 + 8)) for line in range(lines)], size=40)
    upright, turned = read_images(engine, [png(page), png(np.rot90(page, turns))])
    assert len(upright.digits) > (CROWDED if lines > 7 else VOTERS)
    assert (turned.text, turned.turned) == (upright.text, 90 * turns)
