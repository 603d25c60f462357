"""Digits stand among digits, and dirt among dirt."""

import numpy as np
import pytest

from worker.reading.neighbours import TINY, adjust_for_neighbours

LARGE = 400  # pixels: the side of an image


def row(value: int | None, probability: float) -> np.ndarray:
    """Probabilities with this one for a digit, or for "not a digit", and the rest elsewhere."""
    probabilities = np.full(11, (1 - probability) / 10, np.float32)
    probabilities[10 if value is None else value] = probability
    return probabilities


def test_among_digits_not_a_digit_is_less_probable():
    line = np.stack([row(None, 0.6), row(3, 0.95)])
    (shifted,) = adjust_for_neighbours([line], LARGE)
    assert np.allclose(shifted.sum(axis=1), 1)
    assert shifted[0, 10] < 0.25
    assert shifted[1, 3] > 0.95
    assert line[0, 10] == np.float32(0.6)


def test_a_sure_digit_among_more_dirt_changes_nothing():
    line = np.stack([row(3, 0.95), row(None, 0.6), row(None, 0.6)])
    assert np.allclose(adjust_for_neighbours([line], LARGE)[0], line)


def test_among_dirt_not_a_digit_is_more_probable():
    dirt = [np.stack([row(None, 0.99)]) for _ in range(8)]
    doubtful, sure = row(5, 0.5), row(7, 0.999)
    shifted = adjust_for_neighbours([*dirt, np.stack([doubtful]), np.stack([sure])], LARGE)
    assert shifted[8][0, 10] > 0.3 > doubtful[10]
    assert shifted[9][0, 7] > 0.98


@pytest.mark.parametrize("lines", [[], [[row(7, 0.6)]], [[row(None, 0.9)], [row(2, 0.6)]]])
def test_few_shapes_change_nothing(lines):
    lines = [np.stack(line) for line in lines]
    for given, shifted in zip(lines, adjust_for_neighbours(lines, LARGE), strict=True):
        assert np.allclose(given, shifted)


def test_in_a_tiny_image_not_a_digit_is_less_probable():
    blurred, clear = np.stack([row(None, 0.8)]), np.stack([row(None, 0.999)])
    assert np.allclose(adjust_for_neighbours([blurred], TINY + 1)[0], blurred)
    assert adjust_for_neighbours([blurred], TINY)[0][0, 10] < 0.5
    assert adjust_for_neighbours([clear], TINY)[0][0, 10] > 0.9
