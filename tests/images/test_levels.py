"""Images whose grey levels are not of eight bits."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, on_paper
from worker.images.decoding import decode, to_grey
from worker.images.finding import find_digits


def read(levels: np.ndarray, kind: str = "TIFF") -> np.ndarray:
    return to_grey(decode(encoded(Image.fromarray(levels), kind)).image)


def holed(grey: np.ndarray) -> np.ndarray:
    """Levels from 0 to 1 with what cameras and programs leave in them."""
    levels = np.float32(grey / 255)
    levels[3, 3:7] = np.nan, np.inf, -np.inf, 90
    return levels


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "10 bits": lambda grey: (grey / 255 * 1000).astype(np.uint16),
    "12 bits": lambda grey: (grey / 255 * 3900).astype(np.uint16),
    "14 bits": lambda grey: (grey / 255 * 16000).astype(np.uint16),
    "16 bits": lambda grey: (grey / 255 * 65000).astype(np.uint16),
    "17 levels": lambda grey: (grey // 16).astype(np.uint16),
    "large": lambda grey: (grey / 255 * 1e9).astype(np.int32),
    "signed": lambda grey: ((grey / 255 - 0.5) * 200).astype(np.int32),
    "0 to 1": lambda grey: np.float32(grey / 255),
    "-1 to 1": lambda grey: np.float32(grey / 127.5 - 1),
    "standardised": lambda grey: np.float32((grey - grey.mean()) / grey.std()),
    "with holes": holed,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_digit_is_found_whatever_its_levels_count(mnist, form):
    page = on_paper(mnist.images[0])
    (plain,) = find_digits(page)

    for grey in (page, 255 - page):
        (found,) = find_digits(read(FORMS[form](grey)))

        assert np.abs(np.subtract(found.box, plain.box)).max() <= 3
        assert np.abs(found.pixels.astype(int) - plain.pixels).mean() < 8


def test_a_mask_of_0_and_1_is_black_and_white(mnist):
    page = on_paper(mnist.images[0])

    assert np.array_equal(read(np.int32(page > 128)), np.where(page > 128, 255, 0))


def test_a_png_of_12_bits_is_as_light_as_one_of_16():
    grey = np.tile(np.linspace(0, 255, 64), (48, 1))
    twelve = read((grey / 255 * 4095).astype(np.uint16), "PNG")

    assert np.abs(twelve - grey).max() < 2  # rounded down twice


@pytest.mark.parametrize("form", [form for form in FORMS if form != "17 levels"])
def test_a_blank_page_stays_blank_whatever_its_levels_count(form):
    noise = np.random.default_rng(1).normal(215, 3, (300, 400))

    assert find_digits(read(FORMS[form](np.clip(noise, 0, 255)))) == []


@pytest.mark.parametrize("level", [0, 1, 300, 5000, 60000])
def test_a_page_of_one_level_is_blank(level):
    assert find_digits(read(np.full((90, 120), level, np.uint16))) == []
    assert find_digits(read(np.full((90, 120), -level, np.float32))) == []


def test_a_dark_page_of_16_bits_with_noise_is_blank():
    noise = np.random.default_rng(1).poisson(400, (300, 400))

    assert find_digits(read(noise.astype(np.uint16))) == []


def test_an_image_without_a_number_is_blank():
    assert find_digits(read(np.full((90, 120), np.nan, np.float32))) == []
    assert find_digits(read(np.full((1, 1), np.inf, np.float32))) == []
