"""The verifier: a part of a shape is judged in the context of the rest."""

import json

import numpy as np
import pytest

from tests.reading.test_segmentation import found, row, shape
from worker.files.datasets import load_mnist
from worker.images.finding import find_ink, normalize
from worker.images.shapes import Shape
from worker.reading.bundle import BUNDLED_METRICS, VERIFIER, VERIFIER_FACTS, ModelError, file_sha256
from worker.reading.engine import Engine, bundled_verifier
from worker.reading.keras_models import load_verifier
from worker.reading.segmentation import Candidate, best_path, cut_parts
from worker.reading.verifier import COLUMNS, ROWS, in_context
from worker.training import verifier_data
from worker.training.recipes import VerifierRecipe
from worker.training.verifier_data import NOT_A_DIGIT, make_parts, parts_of_one

FACTS = json.loads(VERIFIER_FACTS.read_text())


def large(digit: np.ndarray) -> Shape:
    (line,) = find_ink(255 - digit.repeat(2, 0).repeat(2, 1)).lines
    return line[0]


def test_a_part_stands_in_the_middle_and_the_rest_around_it():
    whole = Shape(10, 5, np.full((ROWS, 40), 200, np.uint8))
    part = whole.masked(np.arange(40)[None, :] < 20)
    own, rest = np.moveaxis(in_context(part, whole), 2, 0)
    assert (own[:, 14:34] == 200).all()
    assert own.sum() == 200 * ROWS * 20
    assert (rest[:, 34:] == 200).all()
    assert rest.sum() == 200 * ROWS * 14  # what lies further to the right is out of sight


def test_the_context_has_the_same_size_for_any_shape():
    for height, width in ((8, 4), (100, 30), (50, 400)):
        whole = Shape(3, 3, np.full((height, width), 255, np.uint8))
        seen = in_context(whole, whole)
        assert (seen.shape, seen.dtype) == ((ROWS, COLUMNS, 2), np.uint8)
        assert seen[:, :, 0].any()
        assert not seen[:, :, 1].any()


def test_a_part_that_the_verifier_rejects_loses():
    whole = found(2, row(7, 0.9), verified=row(7, 0.9))
    slices = [
        Candidate(n, n + 1, shape(), 0.0, row(1, 0.99), verified=row(None, 0.99)) for n in (0, 1)
    ]
    assert best_path([whole, *slices]) == [whole]
    for part in slices:
        part.verified = row(1, 0.99)
    whole.verified = row(None, 0.99)
    assert best_path([whole, *slices]) == slices


def test_a_part_that_the_verifier_reads_as_another_digit_counts_less():
    agreed, other = (
        Candidate(0, 1, shape(), 0.0, row(3, 0.9), verified=row(value, 0.9)) for value in (3, 5)
    )
    assert agreed.score > other.score


def test_slices_that_read_as_digits_are_rejected_in_context(engine, mnist):
    """A slice of a 7, 4 or 9 is a sure 1 or 7 to the recogniser, which sees nothing else."""
    slices, wholes = [], []
    for image in mnist.images[np.isin(mnist.labels, (4, 7, 9))][:150]:
        whole = large(image)
        for _, _, part in cut_parts(whole, whole.height)[1]:
            if np.count_nonzero(part.ink > 100) < 0.5 * np.count_nonzero(whole.ink > 100):
                slices.append((part, whole))
        wholes.append((whole, whole))
    read = engine.predict(np.stack([normalize(part.ink) for part, _ in slices]))
    tempting = [pair for pair, row in zip(slices, read, strict=True) if row[:10].max() > 0.9]
    assert len(tempting) > 20
    verified = [
        engine.verify(np.stack([in_context(*p) for p in some])) for some in (tempting, wholes)
    ]
    slices_refused, wholes_refused = (rows[:, NOT_A_DIGIT] > 0.5 for rows in verified)
    assert slices_refused.mean() > 0.9
    assert wholes_refused.mean() < 0.1


def test_batches_of_any_size_have_the_probabilities_of_single_parts(engine, mnist):
    parts = np.stack([in_context(whole, whole) for whole in map(large, mnist.images[:70])])
    singly = np.concatenate([engine.verify(part[None]) for part in parts])
    for size in (0, 9, 70):
        assert np.allclose(engine.verify(parts[:size]), singly[:size], atol=1e-4)


def test_the_verifier_that_ships_is_the_one_that_was_measured():
    assert file_sha256(VERIFIER) == FACTS["sha256"]
    assert load_verifier(VERIFIER).count_params() == FACTS["parameters"]
    assert FACTS["recipe"] == VerifierRecipe().__dict__
    both = FACTS["parameters"] + json.loads(BUNDLED_METRICS.read_text())["parameters"]
    assert both <= 500_000


def test_a_missing_verifier_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("worker.reading.engine.VERIFIER", tmp_path / "verifier.keras")
    bundled_verifier.cache_clear()
    with pytest.raises(ModelError, match=r"verifier\.keras is missing"):
        Engine()
    bundled_verifier.cache_clear()


# What it learns from.


def targets_of(count: int, monkeypatch, seed: int = 1) -> np.ndarray:
    """The targets of shapes that are all made of `count` digits."""
    monkeypatch.setattr(verifier_data, "DIGITS", np.eye(5)[count])
    train, rng = load_mnist("train"), np.random.default_rng(seed)
    made = [parts_of_one(train.images[:500], train.labels[:500], rng) for _ in range(30)]
    assert all(seen.shape == (ROWS, COLUMNS, 2) for parts in made for seen, _ in parts)
    return [np.stack([target for _, target in parts]) for parts in made if parts]


def test_a_whole_digit_is_one_and_its_slices_are_not(monkeypatch):
    made = targets_of(1, monkeypatch)
    assert all(np.isclose(targets.sum(axis=1), 1).all() for targets in made)
    wholes = np.stack([targets[0] for targets in made])
    assert (wholes[:, :NOT_A_DIGIT].max(axis=1) > 0.9).mean() > 0.9
    rest = np.concatenate([targets[1:] for targets in made])
    assert (rest[:, NOT_A_DIGIT] == 1).mean() > 0.5


def test_two_digits_together_are_not_a_digit_and_some_parts_are(monkeypatch):
    made = targets_of(2, monkeypatch)
    assert all(targets[0, NOT_A_DIGIT] == 1 for targets in made)
    assert np.mean([targets[:, NOT_A_DIGIT].min() < 0.1 for targets in made]) > 0.6


def test_nothing_in_a_letter_or_a_shape_is_a_digit(monkeypatch):
    assert all((targets[:, NOT_A_DIGIT] == 1).all() for targets in targets_of(0, monkeypatch))


def test_the_same_seed_makes_the_same_parts():
    (once, targets), (again, _), (other, _) = (make_parts(100, seed) for seed in (3, 3, 4))
    assert once.shape == (100, ROWS, COLUMNS, 2)
    assert targets.shape == (100, NOT_A_DIGIT + 1)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize("setting", [{"parts": 0}, {"epochs": 0}, {"learning_rate": 2}])
def test_settings_out_of_bounds_are_refused(setting):
    with pytest.raises(ValueError, match=f"expected {next(iter(setting))} from"):
        VerifierRecipe(**setting)
