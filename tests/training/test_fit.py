"""Training: the images of an epoch, its progress and its result."""

import numpy as np
import pytest

from worker.files.datasets import Dataset, load_mnist
from worker.reading import devices
from worker.reading.engine import Engine
from worker.reading.neighbours import EXPECTED
from worker.training import networks
from worker.training.calibration import calibrate
from worker.training.fit import Checkpoints, Progress, evaluate, train
from worker.training.minibatches import AugmentedDigits
from worker.training.recipes import Recipe


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist("train")
    return Dataset(mnist.images[:1500], mnist.labels[:1500])


@pytest.fixture(scope="module")
def few(some):
    return Dataset(some.images[:300], some.labels[:300])


def test_an_epoch_shows_each_digit_once_in_another_order(some):
    recipe = Recipe(batch_size=64, not_digits=0.25, cuttings=0)
    batches = AugmentedDigits(some, recipe, recipe.stages[0])
    first = batches.order.copy()
    assert sorted(first) == list(range(1500))
    shown = np.concatenate([batches[index][1].argmax(axis=1) for index in range(len(batches))])
    assert sorted(shown[shown < 10]) == sorted(some.labels)
    assert (shown == networks.NOT_A_DIGIT).sum() == 16 * len(batches)
    batches.on_epoch_end()
    assert not np.array_equal(first, batches.order)


def test_the_same_seed_makes_the_same_model(some):
    recipe = Recipe(
        architecture="mlp", epochs=2, finishing_epochs=1, batch_size=64, not_digits=0, cuttings=0
    )
    scores = [evaluate(Engine.from_model(train(some, recipe)), some) for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0].accuracy > 0.7


def test_it_reports_each_epoch(few):
    reported = []
    recipe = Recipe(architecture="mlp", epochs=2, finishing_epochs=1)
    progress = Progress(on_epoch=lambda epoch, figures: reported.append((epoch, sorted(figures))))
    train(few, recipe, few, progress)
    assert reported == [(n, ["accuracy", "loss", "val_accuracy", "val_loss"]) for n in (1, 2, 3)]


def test_it_refuses_to_train_on_nothing(some):
    with pytest.raises(ValueError, match="at least one image"):
        train(Dataset(some.images[:0], some.labels[:0]))


def test_a_model_is_not_trained_on_its_test_set():
    train_set, test_set = load_mnist("train"), load_mnist("test")
    known = {image.tobytes() for image in train_set.images}
    assert not any(image.tobytes() in known for image in test_set.images)


def test_calibration_makes_an_overconfident_model_less_sure(some):
    recipe = Recipe("mlp", epochs=2, finishing_epochs=0, batch_size=64, not_digits=0, cuttings=0)
    model = train(some, recipe)
    batches = AugmentedDigits(some, recipe, recipe.stages[-1])
    layer = model.get_layer(networks.LAST_LAYER)
    layer.set_weights([3 * weights for weights in layer.get_weights()])
    temperature, _ = calibrate(model, batches)
    assert temperature == pytest.approx(3, rel=0.06)


def test_calibration_expects_fewer_images_that_are_not_digits_than_training_had(some):
    recipe = Recipe("mlp", epochs=1, finishing_epochs=0, not_digits=0.5, cuttings=0)
    model = train(some, recipe)
    images = np.zeros((1, 28, 28, 1), np.float32)
    before = model.predict(images, verbose=0)[0, networks.NOT_A_DIGIT]
    _, lowered = calibrate(model, AugmentedDigits(some, recipe, recipe.stages[0]))
    expected = EXPECTED
    assert lowered == pytest.approx(np.log((1 - expected) / expected), rel=0.1)
    assert model.predict(images, verbose=0)[0, networks.NOT_A_DIGIT] < before


def test_both_precisions_train(few):
    for precision in ("float32", "mixed_bfloat16"):
        recipe = Recipe("mlp", epochs=1, finishing_epochs=0, precision=precision)
        model = train(few, recipe)
        assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert devices.fast_precision() in ("float32", "mixed_bfloat16")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"cuttings": 0.6}, "expected cuttings from 0 to 0.5, received 0.6"),
        ({"not_digits": 1}, "expected not_digits from 0 to 0.9, received 1"),
        ({"precision": "float16"}, 'expected a precision of auto, .*received "float16"'),
    ],
)
def test_a_bad_recipe_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**given)


class Stopped(Exception):
    """Raised by a test to end a training in the middle."""


def test_a_training_that_was_stopped_goes_on_from_its_last_finished_epoch(some, tmp_path):
    recipe = Recipe("mlp", epochs=3, finishing_epochs=2, batch_size=64, not_digits=0, cuttings=0)
    reported = []

    def stop_in_the_fourth(epoch: int, step: int, steps: int):
        if (epoch, step) == (3, 5):
            raise Stopped

    def on_epoch(epoch: int, figures: dict):
        reported.append((epoch, figures["loss"]))

    progress = Progress(stop_in_the_fourth, on_epoch)
    with pytest.raises(Stopped):
        train(some, recipe, progress=progress, checkpoints=Checkpoints(tmp_path))
    resumed = train(
        some, recipe, progress=Progress(on_epoch=on_epoch), checkpoints=Checkpoints(tmp_path)
    )
    whole = train(some, recipe, progress=Progress(on_epoch=on_epoch))
    assert [epoch for epoch, _ in reported] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    assert evaluate(Engine.from_model(resumed), some).accuracy == pytest.approx(
        evaluate(Engine.from_model(whole), some).accuracy, abs=0.03
    )


def test_a_damaged_checkpoint_is_passed_over(some, tmp_path):
    recipe = Recipe("mlp", epochs=2, finishing_epochs=0, not_digits=0, cuttings=0)
    checkpoints = Checkpoints(tmp_path)
    model = train(some, recipe)
    checkpoints.save(model, 1)
    (tmp_path / "epoch-00002.keras").write_bytes(b"half a file")
    epoch, loaded = checkpoints.load()
    assert (epoch, loaded.count_params()) == (1, model.count_params())
    assert not (tmp_path / "epoch-00002.keras").exists()


def test_an_epoch_shows_corrections_as_often_as_asked_but_no_more_than_the_rest(some):
    corrections = Dataset(some.images[:30], np.full(30, 10, np.uint8))
    recipe = Recipe(batch_size=64, images_per_epoch=600, correction_weight=5)
    shown = AugmentedDigits(some, recipe, recipe.stages[0], corrections).order
    assert (len(shown), (shown >= len(some)).sum()) == (750, 150)
    often = Recipe(batch_size=64, images_per_epoch=600, correction_weight=1000)
    shown = AugmentedDigits(some, often, often.stages[0], corrections).order
    assert (len(shown), (shown >= len(some)).sum()) == (1200, 600)
