"""Digits as other hands make them."""

import numpy as np
import pytest

from worker.files.datasets import load_mnist
from worker.training import augmentation
from worker.training.augmentation import distort


@pytest.fixture(scope="module")
def train():
    return load_mnist("train")


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two images at the best shift of up to three pixels."""
    shifts = [(y, x) for y in range(-3, 4) for x in range(-3, 4)]
    flat = other.ravel().astype(float)
    return max(np.corrcoef(np.roll(one, shift, (0, 1)).ravel(), flat)[0, 1] for shift in shifts)


def test_a_distorted_digit_is_another_image_of_28x28(train):
    for seed in range(200):
        rng = np.random.default_rng(seed)
        image = distort(train.images[seed], int(train.labels[seed]), rng, hardly=0)
        assert (image.shape, image.dtype) == ((28, 28), np.uint8)
        assert image.max() > 60
        assert not np.array_equal(image, train.images[seed])


def test_a_distorted_digit_stays_more_like_itself_than_like_others(train):
    nearer = []
    for seed in range(200):
        image = distort(train.images[seed], int(train.labels[seed]), np.random.default_rng(seed))
        others = [similarity(image, train.images[seed + n]) for n in (1, 2, 3)]
        nearer.append(similarity(image, train.images[seed]) > max(others))
    assert np.mean(nearer) > 0.85


def test_the_less_a_digit_is_distorted_the_nearer_it_stays(train):
    def median(**shares: float) -> float:
        alike = []
        for n in range(100):
            rng = np.random.default_rng(n)
            image = distort(train.images[n], int(train.labels[n]), rng, **shares)
            alike.append(similarity(image, train.images[n]))
        return float(np.median(alike))

    hardly, lightly = median(hardly=1), median(hardly=0, lightly=1)
    assert hardly == pytest.approx(1)
    assert hardly > lightly > median(hardly=0, lightly=0)


def test_the_same_seed_draws_the_same(train):
    once, again = (
        distort(train.images[3], int(train.labels[3]), np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(once, again)


@pytest.mark.parametrize("label", augmentation.OTHER_FORMS)
def test_other_forms_add_ink(train, label):
    rng = np.random.default_rng(2)
    rows = np.flatnonzero(train.labels == label)[:30]
    for form in augmentation.OTHER_FORMS[label][0]:
        drawn = [augmentation.draw(train.images[row], rng) for row in rows]
        more = [int((form(one, rng) > 100).sum()) - int((one > 100).sum()) for one in drawn]
        assert min(more) >= 0
        assert max(more) > 20
