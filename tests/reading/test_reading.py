"""The reading that follows from the probabilities of the model."""

import gc

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, on_paper, png
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


def test_the_pages_of_a_tiff_are_lines(mnist):
    """Boxes count in the whole picture, in which the pages stand one below the other."""
    pages = [Image.fromarray(on_paper(mnist.images[n], 200)) for n in range(3)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    (reading,) = read_images(Engine(), [data])

    assert reading.text == " ".join(str(mnist.labels[n]) for n in range(3))
    assert (reading.pages, reading.of_pages, reading.height) == (3, 3, 600)
    for number, digit in enumerate(reading.digits):
        assert digit.glyph.line == number
        assert 200 * number < digit.glyph.box[1] < 200 * number + 150
