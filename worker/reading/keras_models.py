"""Keras models: loaded from files, and run on Keras's own backend."""

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worker.arrays import Pixels, Probabilities
from worker.reading.bundle import STUDENT, ModelError, checked_sha256, has_student
from worker.reading.networks import IMAGE, PART, in_batches, padded, scaled

if TYPE_CHECKING:
    import keras

BATCH_SIZES = (1, 8, 64)  # see docs/decisions/fixed-batch-sizes.md


class KerasNetwork:
    """A Keras model in memory, called with a few fixed batch sizes, so that no call traces it."""

    runtime = "tensorflow"

    def __init__(self, model: "keras.Model") -> None:
        """Warm up the model."""
        self.model = model
        for size in BATCH_SIZES:
            self._run(np.zeros((size, *model.input_shape[1:]), np.uint8))

    def __call__(self, images: Pixels) -> Probabilities:
        """Return the probabilities for images: uint8, as the model takes them but for the scale."""
        return in_batches(self._padded, images, BATCH_SIZES[-1])

    def _padded(self, images: Pixels) -> Probabilities:
        size = next(size for size in BATCH_SIZES if size >= len(images))
        return padded(self._run, images, size)

    def _run(self, images: Pixels) -> Probabilities:
        return np.asarray(self.model.predict_on_batch(scaled(images)))


def load_model(path: Path, sha256: str | None = None) -> "keras.Model":
    """Load a Keras model of digits in safe mode, after its checksum where one is given.

    Raises:
        ModelError: the file is missing, does not have this SHA-256, or is not a digit model.
    """
    return load(path, sha256, IMAGE)


def load_student(path: Path) -> "keras.Model | None":
    """Load the student that a model file holds; None if it holds none.

    Raises:
        ModelError: it is damaged, or is not a digit model.
    """
    if not has_student(path):
        return None
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        try:
            student = Path(archive.extract(STUDENT, folder))
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelError(f"the student in {path.name} cannot be loaded: {error}") from error
        return load_model(student)


def load_verifier(path: Path) -> "keras.Model":
    """Load a verifier, as load_model."""
    return load(path, None, PART)


def load(path: Path, sha256: str | None, image: tuple[int, int, int]) -> "keras.Model":
    """Load a Keras model that takes images of this shape, as load_model."""
    checked_sha256(path, sha256)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = model.input_shape[1:], model.output_shape[1:]
    except Exception as error:  # Keras raises many kinds for a damaged file
        raise ModelError(f"the model file {path.name} cannot be loaded: {error}") from error
    expected = image, (11,)
    if shapes != expected:
        raise ModelError(
            "expected a model from {} to {}, received one from {} to {}".format(*expected, *shapes)
        )
    return model
