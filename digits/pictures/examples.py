"""Pictures to try the site with, made from MNIST's test images, which no model has learned from."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from worker.files.datasets import Dataset, load_mnist

SIDE = 72  # of one digit, in pixels
PAPER, INK = 246, 38


@dataclass(frozen=True)
class Example:
    """A picture to try, and its title.

    lines: the digits that it shows.
    width, height: of the picture, in pixels.
    """

    title: str
    lines: tuple[str, ...]
    width: int
    height: int
    finish: Callable[[np.ndarray], np.ndarray]


def png(name: str) -> bytes:
    """Return an example as a PNG file."""
    return _pictures()[name]


@cache
def _pictures() -> dict[str, bytes]:
    """Return all examples as PNG files. They are made together, since loading MNIST is slow."""
    digits = load_mnist("test")
    return {name: _encoded(_page(example, digits)) for name, example in EXAMPLES.items()}


def _encoded(page: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(page.astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _page(example: Example, digits: Dataset) -> np.ndarray:
    """Return the page of an example, each digit by another writer: float, shape (height, width)."""
    ink = np.zeros((example.height, example.width), np.uint8)
    seen = dict.fromkeys("0123456789", 0)
    row_height = example.height // len(example.lines)
    for row, line in enumerate(example.lines):
        step = min(SIDE, example.width // (len(line) + 1))
        left = (example.width - step * len(line)) // 2
        top = row * row_height + (row_height - SIDE) // 2
        for column, digit in enumerate(line):
            seen[digit] += 1
            index = np.flatnonzero(digits.labels == int(digit))[seen[digit]]
            shape = Image.fromarray(digits.images[index]).resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC
            )
            x = left + column * step + (step - SIDE) // 2
            place = ink[top : top + SIDE, x : x + SIDE]
            np.maximum(place, np.asarray(shape), out=place)
    return example.finish(ink / 255)


def _on_paper(ink: np.ndarray) -> np.ndarray:
    return PAPER + (INK - PAPER) * ink


def _on_a_board(ink: np.ndarray) -> np.ndarray:
    """White chalk on a dark board."""
    return 40 + 200 * ink


def _in_shadow(ink: np.ndarray) -> np.ndarray:
    """Paper under a lamp that stands at one side."""
    rows, columns = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]]
    light = 1 - 0.4 * (rows / ink.shape[0] + columns / ink.shape[1]) / 2
    page: np.ndarray = _on_paper(ink) * light
    return page


EXAMPLES = {
    "digit": Example("One digit", ("5",), 120, 120, _on_paper),
    "number": Example("A number", ("31415",), 400, 120, _on_paper),
    "board": Example("On a board", ("2026",), 340, 120, _on_a_board),
    "page": Example("A page in shadow", ("1024", "768", "90"), 340, 260, _in_shadow),
}
