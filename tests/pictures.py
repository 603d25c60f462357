"""Pictures for tests, made from MNIST or from nothing."""

import io

import numpy as np
from PIL import Image

from digits.files import SMALL


def png(pixels: np.ndarray) -> bytes:
    return encoded(Image.fromarray(np.asarray(pixels, np.uint8)), "PNG")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def mnist_png(mnist, index: int) -> bytes:
    return png(mnist.images[index])


def on_paper(digit: np.ndarray, size: int = 400, paper: int = 230, ink: int = 40) -> np.ndarray:
    """Enlarge a 28x28 digit to a dark one on light paper: uint8, shape (size, size)."""
    large = Image.fromarray(digit).resize((size // 2, size // 2), Image.Resampling.BICUBIC)
    page = np.full((size, size), paper, np.float32)
    start = size // 4
    part = np.asarray(large, np.float32) / 255
    area = (slice(start, start + size // 2),) * 2
    page[area] += (ink - paper) * part
    return page.astype(np.uint8)


def noisy_page(mnist, index: int = 0) -> bytes:
    """A PNG of a digit on paper with grain, which lies on the disk as it is not small."""
    page = on_paper(mnist.images[index]).astype(int)
    page += np.random.default_rng(index).integers(-4, 5, page.shape)
    data = png(page.clip(0, 255))
    assert len(data) > SMALL
    return data


def in_lines(mnist, lines: list[list[int]], size: int = 60) -> np.ndarray:
    """Lay digits, by their index in MNIST, in lines on white paper: uint8."""
    step = size + size // 4
    width = step * max(map(len, lines)) + size
    page = np.full((step * 3 // 2 * len(lines) + size, width), 250, np.uint8)
    for row, line in enumerate(lines):
        for column, index in enumerate(line):
            digit = Image.fromarray(255 - mnist.images[index]).resize((size, size))
            y, x = size // 2 + row * step * 3 // 2, size // 2 + column * step
            page[y : y + size, x : x + size] = np.minimum(digit, page[y : y + size, x : x + size])
    return page
