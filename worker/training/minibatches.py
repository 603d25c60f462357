"""The batches of a training: digits, images that are not digits, and parts of strings."""

import math
from typing import Any

import keras
import numpy as np

from worker.arrays import Floats, Integers, Labels, Pixels, Probabilities
from worker.files.datasets import Dataset
from worker.reading.networks import scaled
from worker.training import networks
from worker.training.augmentation import distort
from worker.training.cuttings import pieces_of_strings
from worker.training.negatives import not_a_digit
from worker.training.recipes import Recipe, Stage

EVALUATION_BATCH = 256  # images read at once where nothing is learned


def to_input(images: Pixels) -> Floats:
    """Turn uint8 images of shape (n, 28, 28) into the networks' float32 input (n, 28, 28, 1)."""
    shares: Floats = np.asarray(images, np.float32)[..., None] / np.float32(255)
    return shares


def one_hot(labels: Labels | list[int]) -> Probabilities:
    """Return the targets of labels 0 to 10 (10 is "not a digit"): float32, shape (n, 11)."""
    return np.eye(networks.CLASSES, dtype=np.float32)[labels]


class AugmentedDigits(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of distorted digits, of images that are not digits, and of parts of strings.

    An epoch shows all of the dataset, or some of it, and each correction several times. The same
    seed, epoch and batch result in the same pixels.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        stage: Stage,
        corrections: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.dataset = joined(dataset, corrections) if corrections else dataset
        self.plain = len(dataset)
        self.recipe = recipe
        self.others = round(recipe.batch_size * recipe.not_digits)
        self.cuttings = round(recipe.batch_size * recipe.cuttings)
        self.digits = max(1, recipe.batch_size - self.others - self.cuttings)
        self.go_to(stage.first_epoch)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.digits)

    def __getitem__(self, index: int) -> tuple[Floats, Probabilities]:
        rows = self.rows(index)
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        digits, labels = self.dataset.images[rows], self.dataset.labels[rows]
        images = [
            distort(image, int(label), rng, self.stage.hardly, self.stage.lightly)
            for image, label in zip(digits, labels, strict=True)
        ]
        # Of MNIST alone: a 7 that was corrected because it is mirrored is a 7 when mirrored again.
        known = rows[rows < self.plain]
        known = known if known.size else rng.integers(0, self.plain, 1)
        plain, plain_labels = self.dataset.images[known], self.dataset.labels[known]
        images += [not_a_digit(plain, plain_labels, rng) for _ in range(self.others)]
        others = [networks.NOT_A_DIGIT] * self.others
        parts, part_labels = self._cuttings(plain, plain_labels, rng)
        return to_input(np.stack(images + parts)), one_hot([*labels, *others, *part_labels])

    def rows(self, index: int) -> Integers:
        """Return the rows of the digits in a batch; corrections are numbered from `plain` on."""
        rows: Integers = self.order[index * self.digits : (index + 1) * self.digits]
        return rows

    def _cuttings(
        self, digits: Pixels, labels: Labels, rng: np.random.Generator
    ) -> tuple[list[Pixels], list[int]]:
        """Return parts of strings made of these images, and their labels."""
        rows = np.flatnonzero(labels != networks.NOT_A_DIGIT)
        if not rows.size:
            return [], []
        return pieces_of_strings(
            digits[rows], labels[rows], self.cuttings, networks.NOT_A_DIGIT, rng
        )

    def on_epoch_end(self) -> None:
        self.go_to(self.epoch + 1)

    def go_to(self, epoch: int) -> None:
        """Choose the digits of this epoch, counted from 0."""
        self.epoch = epoch
        rng = np.random.default_rng((self.recipe.seed, epoch))
        rows = rng.permutation(self.plain)
        if self.recipe.images_per_epoch:
            rows = rows[: self.recipe.images_per_epoch]
        corrected = np.arange(self.plain, len(self.dataset))
        if corrected.size:
            most = max(1, len(rows) // corrected.size)  # at most half of the digits shown
            corrected = np.tile(corrected, min(self.recipe.correction_weight, most))
            rows = rng.permutation(np.concatenate([rows, corrected]))
        self.order = rows


class SoftLabelled(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of images with the probabilities to learn, each epoch in another order."""

    SIZE = 256

    def __init__(self, images: Pixels, targets: Probabilities, seed: int) -> None:
        """images: uint8, shape (n, height, width, channels); targets: float32, shape (n, 11)."""
        super().__init__()
        self.images, self.targets = images, targets
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.SIZE)

    def __getitem__(self, index: int) -> tuple[Floats, Probabilities]:
        rows = np.sort(self.order[index * self.SIZE : (index + 1) * self.SIZE])
        return scaled(self.images[rows]), self.targets[rows]

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(self.images))


def joined(*datasets: Dataset) -> Dataset:
    """Return the images of several datasets as one."""
    images = np.concatenate([one.images for one in datasets])
    return Dataset(images, np.concatenate([one.labels for one in datasets]))
