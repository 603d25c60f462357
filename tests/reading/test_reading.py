"""The reading that follows from the probabilities of the model."""

import gc

import numpy as np
import pytest
from PIL import Image

from tests.pictures import png
from worker.reading.engine import Engine
from worker.reading.reading import decide, read_images


@pytest.mark.parametrize(
    ("digit", "other", "value", "confidence"),
    [
        (0.99, 0.01, 4, 0.99),
        (0.4, 0.3, 4, 0.4),
        (0.1, 0.9, None, 0.9),
        (0.25, 0.45, None, 0.45),  # the likeliest digit, but "not a digit" is likelier
    ],
)
def test_a_digit_is_read_if_it_is_likelier_than_not_a_digit(digit, other, value, confidence):
    rest = (1 - digit - other) / 9
    probabilities = np.full(11, rest, np.float32)
    probabilities[4], probabilities[10] = digit, other
    read = decide(probabilities)
    assert read == (value, pytest.approx(confidence, abs=1e-6))


def pictures_in_memory() -> int:
    # By the type, as some are weak references to what is gone.
    return sum(issubclass(type(one), Image.Image) for one in gc.get_objects())


def test_a_file_that_cannot_be_read_leaves_no_picture_in_memory():
    engine = Engine()
    damaged = png(np.random.default_rng(1).integers(0, 256, (900, 900), np.uint8))[:300_000]
    gc.collect()
    gc.disable()
    try:
        before = pictures_in_memory()
        readings = read_images(engine, [damaged] * 3)
        assert "cut off" in str(readings[0].error)
        del readings
        assert pictures_in_memory() == before
    finally:
        gc.enable()
