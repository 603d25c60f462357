"""Load a model once, and read batches of digits with it."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from worker.arrays import Pixels, Probabilities
from worker.images.finding import SIZE
from worker.reading.bundle import BUNDLED_MODEL, VERIFIER, ModelError, file_sha256
from worker.reading.verifier import COLUMNS, ROWS

if TYPE_CHECKING:
    import keras

BATCH_SIZES = (1, 8, 64)
# Each digit is read as it is, and scaled and slanted in two ways: (scale, columns that a row moves
# aside for each row that it is higher). The version history does not show how they were chosen.
VIEWS = ((1.0, 0.0), (1.1, 0.12), (0.9, -0.12))
LEAST = 1e-9  # lower probabilities of a view are raised to this
MIDDLE = SIZE // 2  # where a digit has its centre of mass


class Engine:
    """A model, compiled for a few fixed batch sizes, so that no call traces it again."""

    def __init__(self, path: Path = BUNDLED_MODEL, sha256: str | None = None) -> None:
        """Load and warm up the model at this path.

        Raises:
            ModelError: the file is missing, does not have this SHA-256, or is not a digit model.
        """
        started = time.monotonic()
        model = load_model(Path(path), sha256)
        try:
            self._use(model)
        except Exception as error:
            raise ModelError(f"the model in {Path(path).name} cannot read: {error}") from error
        self.load_seconds = time.monotonic() - started

    @classmethod
    def from_model(cls, model: "keras.Model") -> "Engine":
        """Return an engine for a Keras model in memory."""
        engine = cls.__new__(cls)
        engine.load_seconds = 0.0
        engine._use(model)
        return engine

    def _use(self, model: "keras.Model") -> None:
        self.model = model
        for size in BATCH_SIZES:
            self._run(np.zeros((size, 28, 28), np.uint8))
        self.verifier = bundled_verifier()

    def predict(self, digits: Pixels) -> Probabilities:
        """Return the probabilities of 0 to 9 and, last, of "not a digit", for each image.

        They are the geometric mean of the model's probabilities for several views of it.

        Args:
            digits: uint8, shape (n, 28, 28); 0 is paper, 255 is full ink.

        Returns:
            float32, shape (n, 11); each row sums to 1.

        Source: Ciresan, Meier and Schmidhuber, "Multi-column deep neural networks for image
        classification" (2012), for averaging over views of one digit.
        """
        return _in_batches(self._run, np.asarray(digits, np.uint8).reshape(-1, 28, 28))

    def verify(self, parts: Pixels) -> Probabilities:
        """Return the probabilities that a part of a shape is one whole digit, seen in context.

        Args:
            parts: uint8, shape (n, 24, 48, 2), as worker.reading.verifier.in_context returns them.

        Returns:
            float32, shape (n, 11): of the digits 0 to 9 and, last, of anything else.
        """
        return _in_batches(lambda some: _probabilities(self.verifier, some), parts)

    def _run(self, digits: Pixels) -> Probabilities:
        by_view = np.maximum(self.view_probabilities(digits), LEAST)
        by_view = by_view.reshape(len(VIEWS), len(digits), -1)
        means: Probabilities = np.exp(np.log(by_view).mean(axis=0))
        means /= means.sum(axis=1, keepdims=True)
        return means

    def view_probabilities(self, digits: Pixels) -> Probabilities:
        """Return the model's probabilities for each view of some digits.

        Args:
            digits: uint8, shape (n, 28, 28), where n is one of BATCH_SIZES.

        Returns:
            float32, shape (views * n, 11): the rows of one view after those of the other.
        """
        views = np.concatenate([digits, *(_transformed(digits, *view) for view in VIEWS[1:])])
        return _probabilities(self.model, views[..., None])


@cache
def bundled_verifier() -> "keras.Model":
    """Load and warm up the verifier that ships, once a process.

    Raises:
        ModelError: the file is missing or damaged.
    """
    model = _loaded(VERIFIER, None, (ROWS, COLUMNS, 2))
    for size in BATCH_SIZES:
        _probabilities(model, np.zeros((size, ROWS, COLUMNS, 2), np.uint8))
    return model


def _probabilities(model: "keras.Model", images: Pixels) -> Probabilities:
    """Return a model's probabilities for uint8 images, shape (n, height, width, channels)."""
    return np.asarray(model.predict_on_batch(images.astype(np.float32) / np.float32(255)))


def _in_batches(run: Callable[[Pixels], Probabilities], images: Pixels) -> Probabilities:
    """Call run on images in batches of the sizes in BATCH_SIZES; return all rows."""
    rows = []
    for start in range(0, len(images), BATCH_SIZES[-1]):
        some = images[start : start + BATCH_SIZES[-1]]
        size = next(size for size in BATCH_SIZES if size >= len(some))
        if blank := size - len(some):
            padded = np.concatenate([some, np.zeros((blank, *images.shape[1:]), np.uint8)])
            rows.append(run(padded)[: len(some)])
        else:
            rows.append(run(some))
    return np.concatenate(rows) if rows else np.zeros((0, 11), np.float32)


def _transformed(digits: Pixels, scale: float, lean: float) -> Pixels:
    """Return digits scaled and slanted: uint8, shape (n, 28, 28)."""
    shift = MIDDLE - MIDDLE / scale
    matrix = np.array([[1 / scale, lean, shift - lean * MIDDLE], [0, 1 / scale, shift]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.stack([cv2.warpAffine(digit, matrix, digit.shape, flags=flags) for digit in digits])


def load_model(path: Path, sha256: str | None = None) -> "keras.Model":
    """Load a Keras model in safe mode, after its checksum where one is given.

    Raises:
        ModelError: the file is missing, does not have this SHA-256, or is not a digit model.
    """
    return _loaded(path, sha256, (28, 28, 1))


def _loaded(path: Path, sha256: str | None, image_shape: tuple[int, int, int]) -> "keras.Model":
    if not path.is_file():
        raise ModelError(f"the model file {path.name} is missing")
    try:
        received = file_sha256(path)
    except OSError as error:
        raise ModelError(f"the model file {path.name} cannot be read: {error.strerror}") from error
    if sha256 and received != sha256:
        raise ModelError(
            f"the model file {path.name} was changed: expected SHA-256 {sha256},"
            f" received {received}"
        )
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = model.input_shape[1:], model.output_shape[1:]
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise ModelError(f"the model file {path.name} cannot be loaded: {error}") from error
    expected = image_shape, (11,)
    if shapes != expected:
        raise ModelError(
            "expected a model from {} to {}, received one from {} to {}".format(*expected, *shapes)
        )
    return model
