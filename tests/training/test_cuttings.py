"""Strings that training cuts: digits that truly touch, and parts with true labels."""

import cv2
import numpy as np
import pytest

from worker.files.datasets import load_mnist
from worker.training.cuttings import HEIGHT, pieces_of_strings, touching
from worker.training.minibatches import AugmentedDigits
from worker.training.networks import NOT_A_DIGIT
from worker.training.recipes import Recipe


@pytest.fixture(scope="module")
def train():
    return load_mnist("train")


def pieces(train, count: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    return pieces_of_strings(train.images[:500], train.labels[:500], count, NOT_A_DIGIT, rng)


def test_the_digits_of_a_string_touch(train):
    joined = 0
    for seed in range(20):
        ink, digits = touching(train.images[seed : seed + 2], np.random.default_rng(seed))
        count, _ = cv2.connectedComponents((ink > 60).astype(np.uint8))
        joined += count == 2  # paper, and one piece of ink
        assert len(digits) == 2
        assert all(own.shape == ink.shape and own.any() for own in digits)
        assert HEIGHT * 0.7 < len(ink) < HEIGHT * 1.4
    assert joined >= 15  # an MNIST digit may be in pieces itself


def test_it_makes_as_many_parts_as_asked_digits_and_others(train):
    pixels, labels = pieces(train, 200)
    assert {(image.dtype, image.shape) for image in pixels} == {(np.dtype(np.uint8), (28, 28))}
    counts = np.bincount(labels, minlength=11)
    assert counts.sum() == len(pixels) == 200
    assert counts[NOT_A_DIGIT] >= 60
    assert (counts[:NOT_A_DIGIT] > 0).sum() >= 8


def test_the_parts_that_are_digits_look_like_their_labels(train):
    """A judge that saw no string, the mean image of each digit, agrees far above chance."""
    means = np.stack([train.images[train.labels == n].mean(axis=0) for n in range(10)])
    means = means.reshape(10, -1) / np.linalg.norm(means.reshape(10, -1), axis=1, keepdims=True)
    pixels, labels = pieces(train, 300)
    own = [(image, label) for image, label in zip(pixels, labels, strict=True) if label < 10]
    right = [int((means @ image.ravel()).argmax()) == label for image, label in own]
    assert np.mean(right) > 0.5


def test_the_same_seed_cuts_the_same(train):
    once, again = pieces(train, 30, seed=5), pieces(train, 30, seed=5)
    assert np.array_equal(once[0], again[0])
    assert once[1] == again[1]


def test_a_batch_holds_the_share_of_cuttings_of_its_recipe(train):
    recipe = Recipe(batch_size=100, not_digits=0.1, cuttings=0.3)
    images, targets = AugmentedDigits(train, recipe, recipe.stages[0])[0]
    assert images.shape == (100, 28, 28, 1)
    labels = targets.argmax(axis=1)
    assert (labels[60:70] == NOT_A_DIGIT).all()
    assert 3 < (labels[70:] == NOT_A_DIGIT).sum() < 30


def test_corrections_to_not_a_digit_are_not_made_into_strings(train):
    images = train.images[:40]
    recipe = Recipe(batch_size=40, not_digits=0, cuttings=0.5)
    nothing = type(train)(images, np.full(40, NOT_A_DIGIT, np.uint8))
    pixels, targets = AugmentedDigits(nothing, recipe, recipe.stages[0])[0]
    assert len(pixels) == 20
    assert (targets.argmax(axis=1) == NOT_A_DIGIT).all()
