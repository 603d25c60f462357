"""Training: what is augmented, and that the same seed gives the same."""

import numpy as np
import pytest

from worker import devices, networks
from worker.datasets import Dataset, load_mnist
from worker.training import (
    EXPECTED_NOT_DIGITS,
    AugmentedDigits,
    Recipe,
    calibrate,
    evaluate,
    train,
)


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist("train")
    return Dataset(mnist.images[:1500], mnist.labels[:1500])


def test_an_epoch_shows_each_digit_once_in_another_order(some):
    recipe = Recipe(batch_size=64)
    batches = AugmentedDigits(some, recipe, recipe.stages[0])
    first = batches.order.copy()
    assert sorted(first) == list(range(1500))
    shown = np.concatenate([batches[index][1].argmax(axis=1) for index in range(len(batches))])
    assert sorted(shown[shown < 10]) == sorted(some.labels)
    assert (shown == networks.NOT_A_DIGIT).sum() == 8 * len(batches)
    batches.on_epoch_end()
    assert not np.array_equal(first, batches.order)


def test_the_same_seed_gives_the_same_model(some):
    recipe = Recipe(architecture="mlp", epochs=2, finishing_epochs=1, batch_size=64, not_digits=0)
    scores = [evaluate(train(some, recipe), some) for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0].accuracy > 0.7


def test_it_reports_each_epoch(some):
    told = []
    recipe = Recipe(architecture="mlp", epochs=2, finishing_epochs=1)
    train(some, recipe, some, lambda epoch, figures: told.append((epoch, sorted(figures))))
    assert told == [(n, ["accuracy", "loss", "val_accuracy", "val_loss"]) for n in (1, 2, 3, 4)]


def test_it_refuses_to_train_on_nothing(some):
    with pytest.raises(ValueError, match="at least one image"):
        train(Dataset(some.images[:0], some.labels[:0]))


def test_a_model_is_not_trained_on_its_test_set():
    train_set, test_set = load_mnist("train"), load_mnist("test")
    known = {image.tobytes() for image in train_set.images}
    assert not any(image.tobytes() in known for image in test_set.images)


def test_calibration_makes_an_overconfident_model_less_sure(some):
    recipe = Recipe("mlp", epochs=2, finishing_epochs=0, batch_size=64, not_digits=0)
    model = train(some, recipe)
    batches = AugmentedDigits(some, recipe, recipe.stages[-1])
    layer = model.get_layer(networks.LAST_LAYER)
    layer.set_weights([3 * weights for weights in layer.get_weights()])
    temperature, _ = calibrate(model, batches)
    assert temperature == pytest.approx(3, rel=0.06)


def test_calibration_expects_fewer_things_that_are_no_digits_than_training_had(some):
    recipe = Recipe("mlp", epochs=1, finishing_epochs=0, not_digits=0.5)
    model = train(some, recipe)
    images = np.zeros((1, 28, 28, 1), np.float32)
    before = model.predict(images, verbose=0)[0, networks.NOT_A_DIGIT]
    _, lowered = calibrate(model, AugmentedDigits(some, recipe, recipe.stages[0]))
    expected = EXPECTED_NOT_DIGITS
    assert lowered == pytest.approx(np.log((1 - expected) / expected), rel=0.1)
    assert model.predict(images, verbose=0)[0, networks.NOT_A_DIGIT] < before


def test_both_precisions_train(some):
    for precision in ("float32", "mixed_bfloat16"):
        recipe = Recipe("mlp", epochs=1, finishing_epochs=0, precision=precision)
        model = train(some, recipe)
        assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert devices.fast_precision() in ("float32", "mixed_bfloat16")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"not_digits": 1}, "expected not_digits from 0 to 0.9, received 1"),
        ({"precision": "float16"}, 'expected a precision of auto, .*received "float16"'),
    ],
)
def test_a_bad_recipe_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**given)
