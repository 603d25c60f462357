"""Keras models: loaded from files, and run on Keras's own backend."""

import json
import math
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.arrays import Pixels, Probabilities
from worker.reading.bundle import STUDENT, ModelError, checked_sha256, has_student
from worker.reading.networks import IMAGE, PART, in_batches, padded, scaled

if TYPE_CHECKING:
    import keras

BATCH_SIZES = (1, 8, 64)  # see docs/decisions/fixed-batch-sizes.md
# A file may claim any size in a few bytes. The models that ship have 0.3 million parameters.
MOST_BYTES = 128 * 1024 * 1024  # of a file, unpacked
MOST_CONFIG_BYTES = 1024 * 1024  # of them, what describes the layers
MOST_PARAMETERS = 16_000_000
CONFIG = "config.json"


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
            _check_bytes(archive)
            student = Path(archive.extract(STUDENT, folder))
        except Exception as error:  # zipfile raises many kinds for a damaged file
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
        _check_size(path)
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


def _check_size(path: Path) -> None:
    """Check how large a model would be in memory, before any of its variables is made.

    Raises:
        ModelError: it is too large.
        Exception: of many kinds; the file is no model, or is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        _check_bytes(archive)
        config = json.loads(archive.read(CONFIG))
    # Keras lists variables that were not made for the thread that described them.
    with ThreadPoolExecutor(1) as thread:
        parameters = thread.submit(_parameters, config).result()
    if parameters > MOST_PARAMETERS:
        raise ModelError(f"{parameters:,} parameters are more than {MOST_PARAMETERS:,}")


def _check_bytes(archive: zipfile.ZipFile) -> None:
    total = sum(entry.file_size for entry in archive.infolist())
    if total > MOST_BYTES or archive.getinfo(CONFIG).file_size > MOST_CONFIG_BYTES:
        raise ModelError(f"{total:,} bytes are too many, or too many of them describe layers")


def _parameters(config: dict[str, Any]) -> int:
    """Count the parameters of a model by its description alone."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        return sum(math.prod(variable.shape) for variable in model.variables)
