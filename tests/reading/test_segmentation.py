"""Digits that touch are cut; pieces of one digit are joined; the recogniser judges."""

import numpy as np

from tests.pictures import png
from worker.images.shapes import Shape
from worker.reading.reading import read_images
from worker.reading.segmentation import (
    LONGEST,
    Candidate,
    best_path,
    candidates,
    cut_parts,
    find_cuts,
)


def touching(mnist, indices: list[int], lap: int = 2) -> np.ndarray:
    """Digits side by side that touch: uint8, 0 is paper."""
    page = np.zeros((28, 28 * len(indices) + 8), np.uint8)
    left = 4
    for index in indices:
        digit = mnist.images[index]
        columns = np.flatnonzero(digit.any(axis=0))
        digit = digit[:, columns[0] : columns[-1] + 1]
        if left > 4:
            left -= lap
            while not ((page[:, left : left + digit.shape[1]] > 60) & (digit > 60)).any():
                left -= 1
        place = page[:, left : left + digit.shape[1]]
        np.maximum(place, digit, out=place)
        left += digit.shape[1]
    return page[:, : left + 4].repeat(3, 0).repeat(3, 1)


def test_two_digits_that_touch_are_both_read(mnist, engine):
    pairs = [[1, 9], [13, 3], [10, 1], [18, 1], [4, 11]]
    for pair in pairs:
        (reading,) = read_images(engine, [png(touching(mnist, pair))])
        assert reading.text == "".join(str(mnist.labels[n]) for n in pair)
        first, second = (digit.glyph.box for digit in reading.digits)
        assert first[0] < second[0]


def test_a_cut_goes_where_least_ink_is():
    ink = np.zeros((60, 120), np.uint8)
    ink[10:50, 10:50] = ink[10:50, 70:110] = 255
    ink[30:33, 50:70] = 255  # a thin bridge
    cuts = find_cuts(ink)
    assert any((50 <= cut[31] <= 70) for cut in cuts)
    assert cuts.shape[1] == 60
    assert all((cut >= 0).all() and (cut <= 120).all() for cut in cuts)


def test_ink_too_broad_to_cut_is_not_cut():
    assert len(find_cuts(np.full((60, 120), 255, np.uint8))) == 0


def row(value: int | None, share: float) -> np.ndarray:
    probabilities = np.full(11, (1 - share) / 10, np.float32)
    probabilities[10 if value is None else value] = share
    return probabilities


def shape(x: int = 0, width: int = 20) -> Shape:
    return Shape(x, 0, np.full((30, width), 255, np.uint8))


def found(end: int, probabilities: np.ndarray, **others) -> Candidate:
    """A shape that was found and may be cut."""
    own = shape(width=50)
    return Candidate(0, end, own, 0.0, probabilities, within=own, **others)


def test_the_path_of_surest_digits_is_chosen():
    whole = found(2, row(None, 0.97))
    parts = [
        Candidate(0, 1, shape(), -0.3, row(3, 0.95)),
        Candidate(1, 2, shape(), -0.3, row(8, 0.95)),
    ]
    assert best_path([whole, *parts]) == parts
    sure = found(2, row(0, 0.99))
    assert best_path([sure, *parts]) == [sure]


def test_more_digits_that_are_surer_win_over_fewer_of_the_same_ink():
    two = [Candidate(n, n + 3, shape(), 0.0, row(0, 0.99), breadth=0.75) for n in (0, 3)]
    three = [Candidate(n, n + 2, shape(), 0.0, row(1, 0.9931), breadth=0.5) for n in (0, 2, 4)]
    assert best_path([*two, *three]) == three


def test_a_path_with_a_gap_is_not_chosen():
    whole = found(2, row(None, 0.9))
    assert best_path([whole, Candidate(1, 2, shape(), 0.0, row(1, 1.0))]) == [whole]


def test_sure_digits_are_left_alone():
    line = [shape(0), shape(40), shape(80)]
    given = candidates(line, np.stack([row(1, 0.99), row(2, 0.99), row(3, 0.99)]))
    assert [one.shape for one in given] == line
    assert best_path(given) == given


def test_two_neighbours_may_be_joined_if_one_is_not_a_digit():
    line = [shape(0, 10), shape(12, 10), shape(60)]
    given = candidates(line, np.stack([row(1, 0.6), row(None, 0.9), row(3, 0.99)]))
    (pair,) = [one for one in given if one.probabilities is None]
    assert (pair.start, pair.end) == (0, 2)
    assert (pair.shape.x, pair.shape.width) == (0, 22)
    pair.probabilities = row(4, 0.98)
    assert [one.shape.x for one in best_path(given)] == [0, 60]
    assert len(best_path(given)) == 2


def test_a_shape_keeps_its_place_when_it_is_masked():
    ink = np.zeros((10, 20), np.uint8)
    ink[2:5, 8:12] = 255
    part = Shape(100, 50, ink).masked(np.arange(20)[None, :] >= 10)
    assert (part.x, part.y, part.width, part.height) == (110, 52, 2, 3)
    assert Shape(0, 0, ink).masked(np.arange(20)[None, :] < 5) is None


def test_a_band_as_long_as_hundred_digits_is_not_cut(mnist):
    band = Shape(0, 0, touching(mnist, [2, 5] * 60)[::4])
    assert band.width > LONGEST * band.height
    assert cut_parts(band, band.height) == (1, [])
    digits = Shape(0, 0, touching(mnist, [2, 5] * 4))
    assert len(cut_parts(digits, digits.height)[1]) > 50
