"""Fine-tuning: corrections are learned, and all else is read as before."""

import numpy as np
import pytest

from worker.files.datasets import Dataset, load_mnist
from worker.training.fine_tuning import DistillationBatches
from worker.training.fit import Checkpoints, Progress, train
from worker.training.minibatches import to_input
from worker.training.recipes import Recipe

PLAIN = {"architecture": "mlp", "not_digits": 0, "cuttings": 0}
TUNED = Recipe.fine_tuning(**PLAIN, epochs=3, images_per_epoch=1500)


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist("train")
    return Dataset(mnist.images[:1500], mnist.labels[:1500])


@pytest.fixture(scope="module")
def first(some):
    return train(some, Recipe(**PLAIN, epochs=4, finishing_epochs=0))


@pytest.fixture(scope="module")
def mirrored(some):
    """Mirrored 7s, labelled 7."""
    sevens = np.flatnonzero(some.labels == 7)
    return Dataset(np.ascontiguousarray(some.images[sevens][:, :, ::-1]), some.labels[sevens])


def read(model, images) -> np.ndarray:
    return model.predict(to_input(images), verbose=0)


def test_images_that_are_not_corrections_have_the_teachers_output_as_target(some, first, mirrored):
    batches = DistillationBatches(some, TUNED, TUNED.stages[0], mirrored, teacher=first)
    images, targets = batches[0]
    output, corrected = first.predict_on_batch(images), batches.rows(0) >= len(some)
    assert (len(images), 0 < corrected.sum() < 64) == (2 * TUNED.batch_size, True)
    assert (targets[:128][corrected].argmax(axis=1) == 7).all()
    assert np.allclose(targets[:128][~corrected], output[:128][~corrected], atol=1e-6)
    assert np.allclose(targets[128:], output[128:], atol=1e-6)


def test_a_model_that_has_nothing_to_learn_hardly_changes(some, first):
    tuned = train(some, TUNED, start=first)
    change = np.abs(read(tuned, some.images) - read(first, some.images))
    assert change.mean() < 0.003


def test_corrections_are_learned_and_the_rest_is_read_as_before(some, first, mirrored):
    tuned = train(
        some, Recipe.fine_tuning(**PLAIN, learning_rate=1e-3), corrections=mirrored, start=first
    )
    right = [(read(one, mirrored.images).argmax(axis=1) == 7).mean() for one in (first, tuned)]
    assert right[0] < 0.5
    assert right[1] > 0.9
    same = read(tuned, some.images).argmax(axis=1) == read(first, some.images).argmax(axis=1)
    assert same.mean() > 0.94


class Stopped(Exception):
    """Raised by a test to end a training in the middle."""


def test_a_fine_tuning_that_was_stopped_goes_on_without_new_statistics(
    some, first, mirrored, tmp_path
):
    def stop(epoch: int, step: int, steps: int):
        if epoch == 1:
            raise Stopped

    given = {"corrections": mirrored, "start": first, "checkpoints": Checkpoints(tmp_path)}
    with pytest.raises(Stopped):
        train(some, TUNED, progress=Progress(stop), **given)
    resumed = train(some, TUNED, **given)
    statistics = [
        [weight.numpy() for weight in model.non_trainable_weights if "moving" in weight.name]
        for model in (first, resumed)
    ]
    assert len(statistics[0]) == 4
    assert all(map(np.array_equal, *statistics))
    assert not np.array_equal(first.get_weights()[0], resumed.get_weights()[0])
