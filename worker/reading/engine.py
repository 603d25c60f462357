"""Load a model once, and read batches of digits with it."""

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from worker.arrays import Mask, Pixels, Probabilities
from worker.images.finding import SIZE
from worker.reading import devices
from worker.reading.bundle import BUNDLED_MODEL, VERIFIER, ModelError
from worker.reading.networks import CLASSES, IMAGE, PART, Network
from worker.reading.spans import span

if TYPE_CHECKING:
    import keras

# A digit is read as it is, and where that leaves doubt scaled and slanted in two ways: (scale,
# columns that a row moves aside for each row that it is higher). The version history does not show
# how they were chosen.
VIEWS = ((1.0, 0.0), (1.1, 0.12), (0.9, -0.12))
# A first view that is read with this probability needs no other. It was set on MNIST's test set and
# load_digits: from 0.95 on no reading of either differed from that by all views, and at 0.99 no
# probability by more than 0.05.
ONE_VIEW = 0.99
# A digit that the student reads with this probability does not go on to the model. It was set on
# MNIST's test set and 20,000 distorted training images: see docs/decisions/student.md.
SURE = 0.99
LEAST = 1e-9  # lower probabilities of a view are raised to this
MIDDLE = SIZE // 2  # where a digit has its centre of mass


class Engine:
    """A model and the verifier, loaded and warmed up on one runtime."""

    def __init__(
        self,
        path: Path = BUNDLED_MODEL,
        sha256: str | None = None,
        runtime: str | None = None,
        converted: Path | None = None,
    ) -> None:
        """Load and warm up the model at this path.

        Args:
            path: a .keras file.
            sha256: of the file, where it is known.
            runtime: "tensorflow" or "openvino"; by default, as devices.runtime says.
            converted: the folder where OpenVINO's files are kept; by default, the user's.

        Raises:
            ModelError: the file is missing, does not have this SHA-256, or is not a digit model.
        """
        started = time.monotonic()
        runtime = runtime or devices.runtime()
        self.network, self.student = _networks(Path(path), IMAGE, sha256, runtime, converted)
        try:
            self.view_probabilities(np.zeros((1, SIZE, SIZE), np.uint8))
        except Exception as error:
            raise ModelError(f"the model in {Path(path).name} cannot read: {error}") from error
        self.verifier = bundled_verifier(runtime, converted)
        self.load_seconds = time.monotonic() - started

    @classmethod
    def from_model(cls, model: "keras.Model", student: "keras.Model | None" = None) -> "Engine":
        """Return an engine for a Keras model in memory, which runs on Keras's backend."""
        from worker.reading.keras_models import KerasNetwork

        engine = cls.__new__(cls)
        engine.load_seconds = 0.0
        engine.network = KerasNetwork(model)
        engine.student = None if student is None else KerasNetwork(student)
        engine.verifier = bundled_verifier(devices.runtime(), None)
        return engine

    @property
    def runtime(self) -> str:
        """What computes the model: "openvino" or "tensorflow"."""
        return self.network.runtime

    @span("network")
    def predict(self, digits: Pixels) -> Probabilities:
        """Return the probabilities of 0 to 9 and, last, of "not a digit", for each image.

        The student reads each image first, if the model has one, and the model those of which its
        student is not sure. Where the model is not sure either, they are the geometric mean of its
        probabilities for several views of the image.

        Args:
            digits: uint8, shape (n, 28, 28); 0 is paper, 255 is full ink.

        Returns:
            float32, shape (n, 11); each row sums to 1.

        Source: Ciresan, Meier and Schmidhuber, "Multi-column deep neural networks for image
        classification" (2012), for averaging over views of one digit; Viola and Jones, "Rapid
        object detection using a boosted cascade of simple features" (2001), for the cascade.
        """
        digits = np.asarray(digits, np.uint8).reshape(-1, SIZE, SIZE)
        if self.student is None:
            return self._read_by_the_model(digits)
        read = self.student(digits[..., None])
        unsure = np.flatnonzero(~_is_sure(read))
        if len(unsure):
            read[unsure] = self._read_by_the_model(digits[unsure])
        return read

    def _read_by_the_model(self, digits: Pixels) -> Probabilities:
        read = self.network(digits[..., None])
        doubtful = np.flatnonzero(read.max(axis=1) < ONE_VIEW)
        if len(doubtful):
            views = np.concatenate([read[doubtful], self._other_views(digits[doubtful])])
            by_view = np.maximum(views, LEAST).reshape(len(VIEWS), len(doubtful), CLASSES)
            means = np.exp(np.log(by_view).mean(axis=0))
            read[doubtful] = means / means.sum(axis=1, keepdims=True)
        return read

    def are_sure(self, digits: Pixels) -> Mask:
        """Return which images the student reads alone: bool, shape (n,); False without a student.

        digits: uint8, shape (n, 28, 28).
        """
        if self.student is None:
            return np.zeros(len(digits), bool)
        return _is_sure(self.student(digits[..., None]))

    @span("verifier")
    def verify(self, parts: Pixels) -> Probabilities:
        """Return the probabilities that a part of a shape is one whole digit, seen in context.

        Args:
            parts: uint8, shape (n, 24, 48, 2), as worker.reading.verifier.in_context returns them.

        Returns:
            float32, shape (n, 11): of the digits 0 to 9 and, last, of anything else.
        """
        return self.verifier(parts)

    def view_probabilities(self, digits: Pixels) -> Probabilities:
        """Return the outputs of the model for each view of some digits, and of its student.

        Args:
            digits: uint8, shape (n, 28, 28).

        Returns:
            float32, shape (views * n, 11), or n more rows with a student: the rows of one view
            after those of the other.
        """
        by_student = [] if self.student is None else [self.student(digits[..., None])]
        by_model = self.network(digits[..., None]), self._other_views(digits)
        return np.concatenate([*by_model, *by_student])

    def _other_views(self, digits: Pixels) -> Probabilities:
        views = [_transformed(digits, *view) for view in VIEWS[1:]]
        return self.network(np.concatenate(views)[..., None])


@cache
def bundled_verifier(runtime: str, converted: Path | None) -> Network:
    """Load and warm up the verifier that ships, once a process.

    Raises:
        ModelError: the file is missing or damaged.
    """
    network, _ = _networks(VERIFIER, PART, None, runtime, converted)
    network(np.zeros((1, *PART), np.uint8))
    return network


def _networks(
    path: Path,
    image: tuple[int, int, int],
    sha256: str | None,
    runtime: str,
    converted: Path | None,
) -> tuple[Network, Network | None]:
    """Load the network of a file, and its student if it holds one."""
    if runtime == "openvino":
        from worker.reading.openvino_models import OpenVINONetwork

        network = OpenVINONetwork(path, image, sha256, converted)
        return network, network.student
    from worker.reading import keras_models

    model, student = keras_models.load(path, sha256, image), keras_models.load_student(path)
    return keras_models.KerasNetwork(model), student and keras_models.KerasNetwork(student)


def _is_sure(read: Probabilities) -> Mask:
    sure: Mask = read.max(axis=1) >= SURE
    return sure


def _transformed(digits: Pixels, scale: float, lean: float) -> Pixels:
    """Return digits scaled and slanted: uint8, shape (n, 28, 28)."""
    shift = MIDDLE - MIDDLE / scale
    matrix = np.array([[1 / scale, lean, shift - lean * MIDDLE], [0, 1 / scale, shift]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    turned = np.empty_like(digits)
    for digit, one in zip(digits, turned, strict=True):
        cv2.warpAffine(digit, matrix, digit.shape, dst=one, flags=flags)
    return turned
