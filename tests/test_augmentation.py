"""Digits as other hands make them, and things that are no digits."""

import numpy as np
import pytest

from worker import augmentation
from worker.augmentation import distort, not_a_digit
from worker.datasets import load_mnist


@pytest.fixture(scope="module")
def train():
    return load_mnist("train")


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two images at the best shift of up to three pixels."""
    shifts = [(y, x) for y in range(-3, 4) for x in range(-3, 4)]
    flat = other.ravel().astype(float)
    return max(np.corrcoef(np.roll(one, shift, (0, 1)).ravel(), flat)[0, 1] for shift in shifts)


def test_a_distorted_digit_is_28x28_ink_on_paper_and_another(train):
    for seed in range(200):
        rng = np.random.default_rng(seed)
        image = distort(train.images[seed], int(train.labels[seed]), rng)
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


def test_lightly_distorted_digits_stay_nearer(train):
    def median(lightly: float) -> float:
        alike = [
            similarity(
                distort(train.images[n], int(train.labels[n]), np.random.default_rng(n), lightly),
                train.images[n],
            )
            for n in range(100)
        ]
        return float(np.median(alike))

    assert median(1) > median(0)


def test_the_same_seed_draws_the_same(train):
    for make in (
        lambda rng: distort(train.images[3], int(train.labels[3]), rng),
        lambda rng: not_a_digit(train.images[:64], train.labels[:64], rng),
    ):
        once, again = (make(np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(once, again)


@pytest.mark.parametrize("kind", augmentation.KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_of_thing_that_is_no_digit_has_ink(train, kind):
    rng = np.random.default_rng(1)
    drawn = [kind(train.images[:500], train.labels[:500], rng) for _ in range(20)]
    assert all(image.dtype == np.uint8 for image in drawn)
    assert sum((image > 100).sum() >= 40 for image in drawn) >= 12


def test_things_that_are_no_digits_are_made_of_any_digits(train):
    """A batch of corrections may hold one digit alone."""
    sevens = train.images[train.labels == 7][:20]
    for seed in range(100):
        image = not_a_digit(sevens, np.full(20, 7), np.random.default_rng(seed))
        assert (image.shape, image.dtype) == ((28, 28), np.uint8)


def test_other_forms_add_a_stroke(train):
    rng = np.random.default_rng(2)
    for label, (form, _) in augmentation.OTHER_FORMS.items():
        rows = np.flatnonzero(train.labels == label)[:30]
        drawn = [augmentation._draw(train.images[row], rng) for row in rows]
        more = [int((form(one, rng) > 100).sum()) - int((one > 100).sum()) for one in drawn]
        assert min(more) >= 0
        assert max(more) > 20


@pytest.mark.parametrize("name", augmentation.LETTERS)
def test_each_letter_is_put_together_inside_the_canvas(train, name):
    rng = np.random.default_rng(1)
    drawn = np.stack(
        [augmentation._letter(train.images, train.labels, rng, name) for _ in range(20)]
    )
    assert ((drawn > 100).sum(axis=(1, 2)) >= 40).mean() > 0.9
    rim = np.concatenate([drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]])
    assert (rim > 100).mean() < 0.02


def test_a_share_of_what_is_no_digit_is_built_as_letters_are(train):
    def made(letters: float) -> np.ndarray:
        rng = np.random.default_rng(4)
        return not_a_digit(train.images[:64], train.labels[:64], rng, letters)

    assert not np.array_equal(made(0), made(1))
