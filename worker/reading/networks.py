"""What a network is to the engine: images in, probabilities out, on one of the runtimes."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from worker.arrays import Floats, Pixels, Probabilities
from worker.reading.verifier import COLUMNS, ROWS

IMAGE = (28, 28, 1)  # what a model of digits takes
PART = (ROWS, COLUMNS, 2)  # what the verifier takes
FULL = np.float32(255)  # full ink
CLASSES = 11  # the digits 0 to 9 and, last, "not a digit"


class Network(Protocol):
    """A loaded model.

    runtime: what computes it, "openvino" or "tensorflow" (Keras on its backend).
    """

    @property
    def runtime(self) -> str: ...

    def __call__(self, images: Pixels) -> Probabilities:
        """Return the probabilities for images.

        Args:
            images: uint8, shape (n, height, width, channels), of any n.

        Returns:
            float32, shape (n, 11).
        """


def scaled(images: Pixels) -> Floats:
    """Return uint8 images as the networks take them: float32 from 0 to 1."""
    return images.astype(np.float32) / FULL


def padded(run: Callable[[Pixels], Probabilities], images: Pixels, size: int) -> Probabilities:
    """Call run on images and so many blank ones that they are of this size; return their rows."""
    if blank := size - len(images):
        filled = np.concatenate([images, np.zeros((blank, *images.shape[1:]), np.uint8)])
        return run(filled)[: len(images)]
    return run(images)


def in_batches(run: Callable[[Pixels], Probabilities], images: Pixels, most: int) -> Probabilities:
    """Call run on at most so many images at once; return the rows of all."""
    rows = [run(images[start : start + most]) for start in range(0, len(images), most)]
    return np.concatenate(rows) if rows else np.zeros((0, CLASSES), np.float32)
