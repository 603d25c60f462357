"""Images that are not digits: each kind has ink, and letters look like letters."""

import cv2
import numpy as np
import pytest

from worker.files.datasets import load_mnist
from worker.training import letters, negatives
from worker.training.negatives import not_a_digit


@pytest.fixture(scope="module")
def train():
    return load_mnist("train")


@pytest.mark.parametrize("kind", negatives.KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_has_ink(train, kind):
    rng = np.random.default_rng(1)
    drawn = [kind(train.images[:500], train.labels[:500], rng) for _ in range(20)]
    assert {(image.dtype, image.shape) for image in drawn} == {(np.dtype(np.uint8), (56, 56))}
    assert sum((image > 100).sum() >= 40 for image in drawn) >= 12


def test_they_are_made_of_any_digits(train):
    """A batch of corrections may hold one digit alone."""
    sevens = train.images[train.labels == 7][:20]
    for seed in range(100):
        image = not_a_digit(sevens, np.full(20, 7), np.random.default_rng(seed))
        assert (image.shape, image.dtype) == ((28, 28), np.uint8)
        assert image.max() > 60


def test_the_same_seed_makes_the_same(train):
    once, again = (
        not_a_digit(train.images[:64], train.labels[:64], np.random.default_rng(5))
        for _ in range(2)
    )
    assert np.array_equal(once, again)


@pytest.mark.parametrize("name", letters.LETTERS)
def test_a_letter_stays_inside_its_canvas(name):
    rng = np.random.default_rng(1)
    drawn = np.stack([letters.letter(rng, name) for _ in range(20)])
    assert ((drawn > 100).sum(axis=(1, 2)) >= 20).mean() > 0.8
    rim = np.concatenate([drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]])
    assert (rim > 100).mean() < 0.02


def test_letters_have_the_holes_that_letters_have():
    """The drawing is the letter of its name, by the number of its enclosed areas."""
    holes = {"A": 1, "D": 1, "Q": 1, "R": 1, "e": 1, "C": 0, "L": 0, "S": 0, "T": 0, "Z": 0}
    for name, expected in holes.items():
        rng, right = np.random.default_rng(3), 0
        for _ in range(40):
            paper = (letters.letter(rng, name) < 60).astype(np.uint8)
            _, _, stats, _ = cv2.connectedComponentsWithStats(paper, connectivity=4)
            right += int((stats[1:, cv2.CC_STAT_AREA] >= 8).sum() - 1 == expected)
        assert right >= 24, name
