"""The model that ships, and the engine that reads with it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.pictures import mnist_png
from worker.reading.bundle import BUNDLED_METRICS, BUNDLED_MODEL, ModelError, file_sha256
from worker.reading.engine import Engine
from worker.reading.keras_models import BATCH_SIZES, load_model, load_student
from worker.reading.reading import read_images
from worker.training.fit import measure

ROOT = Path(__file__).parents[2]
METRICS = json.loads(BUNDLED_METRICS.read_text())


@pytest.fixture(scope="module")
def together(engine, mnist):
    """The engine's probabilities for MNIST's test images."""
    return engine.predict(mnist.images)


@pytest.fixture(scope="module")
def figures(engine, together):
    return measure(load_model(BUNDLED_MODEL), load_student(BUNDLED_MODEL), together)


def test_it_reads_at_least_994_of_1000_of_mnists_test_set(figures):
    assert figures["evaluation"]["mnist"]["probable_right"] >= 0.994
    assert figures["evaluation"]["mnist-files"]["accuracy"] >= 0.994


def test_metrics_json_is_what_the_model_scores(figures):
    # Other processors round differently: two images of 10,000 may fall to the other side.
    for name in ("mnist", "mnist-files"):
        for key in ("accuracy", "accepted", "calibration_error"):
            kept = METRICS["evaluation"][name][key]
            assert figures["evaluation"][name][key] == pytest.approx(kept, abs=2.01e-4)
    assert figures["parameters"] == METRICS["parameters"]
    assert figures["student"]["alone"] == pytest.approx(METRICS["student"]["alone"], abs=5e-4)
    assert file_sha256(BUNDLED_MODEL) == METRICS["sha256"]


def table_of(page: str) -> list[str]:
    """The rows of a page's table of figures."""
    text = (ROOT / page).read_text()
    return re.search(r"^\| data \|.*?\n\n", text, re.M | re.S)[0].strip().splitlines()


def test_the_documented_figures_are_those_of_metrics_json():
    table = table_of("docs/accuracy.md")
    shown = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[2:]]
    own = METRICS["evaluation"]
    assert [row[0].split("`")[1] for row in shown] == list(own)
    for row in shown:
        figures = own[row[0].split("`")[1]]
        right = figures["probable_right"] or figures["accuracy"]
        assert row[1:] == [
            f"{figures['images']:,}",
            _percent(right),
            _percent(figures["digits_right"]),
            f"{figures['digits_false']:,}",
            _percent(figures["accepted"]),
            _percent(figures["calibration_error"]),
        ]


def test_the_readme_shows_rows_of_the_documented_figures():
    shown = table_of("README.md")
    assert len(shown) > 3
    assert [row for row in shown if row not in table_of("docs/accuracy.md")] == []


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.2f} %"


def test_batches_of_any_size_have_the_probabilities_of_single_digits(engine, mnist):
    singly = np.concatenate([engine.predict(image) for image in mnist.images[:70]])
    for size in (0, 1, 2, 8, 9, 64, 65, 70):
        together = engine.predict(mnist.images[:size])
        assert together.shape == (size, 11)
        assert np.allclose(together, singly[:size], atol=1e-4)
    assert BATCH_SIZES[-1] < 70


def test_the_student_that_ships_reads_nine_of_ten_digits_alone_and_all_as_the_model_does(mnist):
    engine = Engine()
    sure = engine.are_sure(mnist.images)
    read = engine.predict(mnist.images[sure])
    engine.student = None
    by_model = engine.predict(mnist.images[sure])
    assert sure.mean() > 0.9
    assert (read.argmax(axis=1) != by_model.argmax(axis=1)).sum() <= 2
    assert not engine.are_sure(mnist.images[:5]).any()


def test_several_views_of_a_digit_are_more_accurate_than_one(engine, together, mnist):
    pixels = mnist.images[..., None].astype(np.float32) / 255
    singly = load_model(BUNDLED_MODEL).predict(pixels, batch_size=256, verbose=0)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-5)
    wrong = [(read.argmax(axis=1) != mnist.labels).sum() for read in (singly, together)]
    assert wrong[1] < wrong[0]


def test_a_bad_file_does_not_affect_others_in_its_batch(engine, mnist):
    good, bad, also = read_images(engine, [mnist_png(mnist, 0), b"words", mnist_png(mnist, 1)])
    assert (good.text, bad.text, also.text) == ("7", "", "2")
    assert "not an image" in str(bad.error)
    assert good.error is None


def test_a_changed_model_file_is_refused(tmp_path):
    data = bytearray(BUNDLED_MODEL.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.keras"
    changed.write_bytes(data)
    with pytest.raises(ModelError, match="was changed: expected SHA-256"):
        load_model(changed, METRICS["sha256"])


def test_a_missing_model_file_is_reported(tmp_path):
    with pytest.raises(ModelError, match=r"none\.keras is missing"):
        load_model(tmp_path / "none.keras")


def test_a_model_of_another_shape_is_refused(tmp_path):
    import keras

    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"expected a model from \(28, 28, 1\) to \(11,\)"):
        load_model(tmp_path / "other.keras")
