"""Pages of MNIST's digits with known truth: finding them is measured, not only reading them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import collections, scenes
from tests.pictures import png
from worker.evaluation.scoring import Sample, answers_of_files, answers_of_pixels, figures
from worker.files.datasets import Dataset, read_idx_images


def measured(engine, mnist, make, count: int) -> dict:
    rng = np.random.default_rng(11)
    made = [make(mnist, rng) for _ in range(count)]
    samples = [Sample(str(n), png(scene.image), scene.truth) for n, scene in enumerate(made)]
    return figures(answers_of_files(engine, samples))


@pytest.mark.parametrize(
    ("make", "digits_right"),
    [(scenes.plain_page, 0.99), (scenes.hard_page, 0.96)],
    ids=["plain", "hard"],
)
def test_digits_on_pages_are_found_and_read(engine, mnist, make, digits_right):
    own = measured(engine, mnist, make, 50)
    assert own["digits"] > 250
    assert own["digits_right"] >= digits_right
    assert own["digits_false"] <= 1


def test_strings_of_digits_that_touch_are_read(engine, mnist):
    own = measured(engine, mnist, scenes.string, 200)
    assert own["accuracy"] >= 0.93


@pytest.mark.parametrize(("name", "most"), [("noise", 300), ("blank", 300), ("letters", 2000)])
def test_images_that_are_not_digits_are_rejected(engine, name, most):
    try:
        made = list(collections.COLLECTIONS[name](np.random.default_rng(7)))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    some = enumerate(made[:: max(1, len(made) // most)])
    samples = [Sample(str(number), png(image), truth) for number, (truth, image) in some]
    own = figures(answers_of_files(engine, samples))
    assert own["images"] >= 100
    assert own["accepted"] <= 0.02


def test_the_same_seed_makes_the_same_scene(mnist):
    for make in (scenes.plain_page, scenes.hard_page, scenes.string):
        one, other = (make(mnist, np.random.default_rng(3)) for _ in range(2))
        assert one.lines == other.lines
        assert np.array_equal(one.image, other.image)


def test_a_scene_has_the_lines_of_its_truth(mnist):
    for seed in range(10):
        scene = scenes.hard_page(mnist, np.random.default_rng(seed))
        assert 1 <= len(scene.lines) <= 5
        assert all(line.isdigit() for line in scene.lines)
        assert scene.image.dtype == np.uint8
        assert scene.image.ndim == 3


def test_load_digits_is_read_as_files(engine):
    """scikit-learn's 8x8 digits, by other people, never trained on."""
    made = collections.COLLECTIONS["load-digits"](np.random.default_rng(0))
    own = figures(
        answers_of_files(engine, [Sample(str(n), png(i), t) for n, (t, i) in enumerate(made)])
    )
    assert own["accuracy"] >= 0.985


FASHION = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")


needs_fashion = pytest.mark.skipif(
    not FASHION.exists(), reason="Debian's dataset-fashion-mnist is not installed"
)


@needs_fashion
def test_clothes_are_not_digits(engine):
    images = read_idx_images(FASHION)[:3000]
    dataset = Dataset(images, np.zeros(len(images), np.uint8))
    assert figures(answers_of_pixels(engine, dataset, [""] * 3000))["accepted"] <= 0.02


@needs_fashion
def test_clothes_as_files_are_not_digits(engine):
    images = read_idx_images(FASHION)[:600]
    samples = [Sample(str(n), png(image), "") for n, image in enumerate(images)]
    assert figures(answers_of_files(engine, samples))["accepted"] <= 0.02
