"""A student: it learns what the model reads, and its file is a part of the model's."""

import zipfile

import numpy as np
import pytest

from worker.files.datasets import Dataset, load_mnist
from worker.reading.bundle import STUDENT, ModelError, has_student, write_bundle
from worker.reading.engine import Engine
from worker.reading.keras_models import KerasNetwork, load_model, load_student
from worker.training.fit import train
from worker.training.recipes import Recipe
from worker.training.student import distil

SHORT = Recipe(epochs=1, finishing_epochs=0, images_per_epoch=1500, student_epochs=2)


@pytest.fixture(scope="module")
def some():
    mnist = load_mnist("train")
    return Dataset(mnist.images[:1500], mnist.labels[:1500])


@pytest.fixture(scope="module")
def model(some):
    """A model whose classes are turned round by one: a 7 is read as 8."""
    turned = Dataset(some.images, (some.labels + 1) % 10)
    plain = {"architecture": "mlp", "not_digits": 0, "cuttings": 0}
    return train(turned, Recipe(**plain, epochs=4, finishing_epochs=0))


@pytest.fixture(scope="module")
def student(model, some):
    return distil(model, some, SHORT)


def share_alike(model, student, images) -> float:
    read = [KerasNetwork(one)(images[..., None]).argmax(axis=1) for one in (model, student)]
    return (read[0] == read[1]).mean()


def test_a_student_learns_what_the_model_reads_and_not_the_labels(model, student, mnist):
    images, labels = mnist.images[:1000], mnist.labels[:1000]
    assert share_alike(model, student, images) > 0.6
    right = KerasNetwork(student)(images[..., None]).argmax(axis=1) == labels
    assert right.mean() < 0.2


def test_a_student_goes_on_from_another(model, student, some, mnist):
    images = mnist.images[:1000]
    further = distil(model, some, SHORT, start=student)
    assert share_alike(model, further, images) > share_alike(model, student, images)


def test_its_steps_are_counted_to_the_last(model, some):
    steps = []
    distil(model, some, SHORT, on_step=lambda step, of: steps.append((step, of)))
    assert [step for step, _ in steps] == list(range(1, len(steps) + 1))
    assert {of for _, of in steps} == {len(steps)}


def test_a_callback_ends_it(model, some):
    def stop(step: int, steps: int):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        distil(model, some, SHORT, on_step=stop)


@pytest.mark.parametrize("changes", [{"student_epochs": 0}, {"architecture": "mlp"}])
def test_a_recipe_may_have_no_student(model, some, changes):
    assert distil(model, some, Recipe(**changes)) is None


def test_the_models_file_holds_its_student(model, student, mnist, tmp_path):
    metrics = write_bundle(model, {}, tmp_path, student)
    path = tmp_path / "digits.keras"
    assert metrics["bytes"] == path.stat().st_size
    loaded = load_model(path, metrics["sha256"]), load_student(path)
    for one, other in zip(loaded, (model, student), strict=True):
        images = mnist.images[:9, ..., None]
        assert np.allclose(KerasNetwork(one)(images), KerasNetwork(other)(images), atol=1e-6)


def test_a_file_without_a_student_has_none(model, tmp_path):
    write_bundle(model, {}, tmp_path)
    path = tmp_path / "digits.keras"
    assert (has_student(path), load_student(path)) == (False, None)
    (tmp_path / "words.keras").write_text("words")
    assert not has_student(tmp_path / "words.keras")


def test_a_damaged_student_is_refused(model, tmp_path):
    write_bundle(model, {}, tmp_path)
    path = tmp_path / "digits.keras"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(STUDENT, b"half a file")
    for runtime in ("openvino", "tensorflow"):
        with pytest.raises(ModelError, match=r"student\.keras cannot be loaded"):
            Engine(path, runtime=runtime, converted=tmp_path / "converted")


@pytest.mark.parametrize("runtime", ["openvino", "tensorflow"])
def test_what_the_student_is_sure_of_does_not_go_on_to_the_model(
    model, student, mnist, tmp_path, runtime, monkeypatch
):
    write_bundle(model, {}, tmp_path, student)
    engine = Engine(tmp_path / "digits.keras", runtime=runtime, converted=tmp_path / "converted")
    images = mnist.images[:500]
    by_student = engine.student(images[..., None])
    middle = np.sort(by_student.max(axis=1))[249:251].mean()  # it has hardly learned
    monkeypatch.setattr("worker.reading.engine.SURE", middle)
    read, sure = engine.predict(images), by_student.max(axis=1) > middle
    engine.student = None
    by_model = engine.predict(images)
    assert sure.sum() == 250
    assert np.allclose(read[sure], by_student[sure], atol=1e-5)
    assert np.allclose(read[~sure], by_model[~sure], atol=1e-5)
