"""Fine-tuning that learns corrections and reads everything else as before."""

import keras
import numpy as np

from worker.training.minibatches import AugmentedDigits


class RememberingBatches(AugmentedDigits):
    """Batches in which corrections have their labels, and all else what a model says of it.

    To each batch come as many blends of two of its images. Few of MNIST's digits lie between two
    classes, and there a fine-tuning does its harm: blends lie there, and are read as before.

    Source: Li and Hoiem, "Learning without forgetting" (2016); Beyer et al., "Knowledge
    distillation: a good teacher is patient and consistent" (2022), for the blends.
    """

    def __init__(self, *args, before: keras.Model, **kwargs):
        super().__init__(*args, **kwargs)
        self.before = before

    def __getitem__(self, index: int):
        images, targets = super().__getitem__(index)
        corrected = np.flatnonzero(self.rows(index) >= self.plain)
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index, 1))
        others = np.delete(images, corrected, axis=0) if len(corrected) < len(images) else images
        images = np.concatenate([images, _blends(others, len(images), rng)])
        said = np.array(self.before.predict_on_batch(images))
        said[corrected] = targets[corrected]
        return images, said


def _blends(images: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Give this many images, each laid over another at random."""
    one, other = rng.integers(0, len(images), (2, count))
    share = rng.random((count, 1, 1, 1), np.float32)
    return share * images[one] + (1 - share) * images[other]


def train_as_it_reads(network: keras.Model):
    """Have a network trained as it reads: no dropout, and batch normalization as it is.

    What has nothing to learn then has no gradient, and does not drift.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
        elif isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
