"""Fine-tuning on corrections, with distillation so that everything else is read as before."""

from typing import Any

import keras
import numpy as np

from worker.arrays import Floats, Probabilities
from worker.training.minibatches import AugmentedDigits


class DistillationBatches(AugmentedDigits):
    """Batches in which corrections have their labels, and all other images a teacher's output.

    As many blends of two images of the batch are added to it, with the teacher's output as their
    targets. Few of MNIST's digits lie between two classes, where fine-tuning changes most; the
    blends lie there.

    Source: Li and Hoiem, "Learning without forgetting" (2016); Beyer et al., "Knowledge
    distillation: a good teacher is patient and consistent" (2022), for the blends.
    """

    def __init__(self, *args: Any, teacher: keras.Model, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teacher = teacher

    def __getitem__(self, index: int) -> tuple[Floats, Probabilities]:
        images, targets = super().__getitem__(index)
        corrected = np.flatnonzero(self.rows(index) >= self.plain)
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index, 1))
        others = np.delete(images, corrected, axis=0) if len(corrected) < len(images) else images
        images = np.concatenate([images, _blends(others, len(images), rng)])
        soft_targets = np.array(self.teacher.predict_on_batch(images))
        soft_targets[corrected] = targets[corrected]
        return images, soft_targets


def _blends(images: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return this many images, each a random blend of two."""
    one, other = rng.integers(0, len(images), (2, count))
    share = rng.random((count, 1, 1, 1), np.float32)
    blends: Floats = share * images[one] + (1 - share) * images[other]
    return blends


def train_in_inference_mode(network: keras.Model) -> None:
    """Set a network up to be trained without dropout and with batch normalization frozen.

    Where its output already equals the targets, there is then no gradient, and no drift.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
        elif isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
