"""Training: what is augmented, and that the same seed gives the same."""

import numpy as np
import pytest

from worker.datasets import Dataset, load_mnist
from worker.training import AugmentedDigits, Recipe, distort, evaluate, train


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist("train")
    return Dataset(mnist.images[:1500], mnist.labels[:1500])


def test_a_distorted_digit_is_still_28x28_ink_on_paper(some):
    for seed in range(50):
        image = distort(some.images[seed], np.random.default_rng(seed))
        assert (image.shape, image.dtype) == ((28, 28), np.uint8)
        assert image.max() > 150
        assert not np.array_equal(image, some.images[seed])


def test_an_epoch_shows_each_digit_once_in_another_order(some):
    batches = AugmentedDigits(some, Recipe(batch_size=64))
    first = batches.order.copy()
    assert sorted(first) == list(range(1500))
    assert sum(len(batches[index][0]) for index in range(len(batches))) == 1500
    batches.on_epoch_end()
    assert not np.array_equal(first, batches.order)


def test_the_same_seed_gives_the_same_model(some):
    recipe = Recipe(architecture="mlp", epochs=2, batch_size=64)
    scores = [evaluate(train(some, recipe), some) for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0].accuracy > 0.8


def test_it_reports_each_epoch(some):
    told = []
    recipe = Recipe(architecture="mlp", epochs=2)
    train(some, recipe, some, lambda epoch, figures: told.append((epoch, sorted(figures))))
    assert told == [(n, ["accuracy", "loss", "val_accuracy", "val_loss"]) for n in (1, 2)]


def test_it_refuses_to_train_on_nothing(some):
    with pytest.raises(ValueError, match="at least one image"):
        train(Dataset(some.images[:0], some.labels[:0]))


def test_a_model_is_not_trained_on_its_test_set():
    train_set, test_set = load_mnist("train"), load_mnist("test")
    known = {image.tobytes() for image in train_set.images}
    assert not any(image.tobytes() in known for image in test_set.images)
