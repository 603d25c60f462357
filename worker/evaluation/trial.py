"""Try a model on a sample before it reads anything for anybody."""

from functools import cache

import numpy as np

from worker.arrays import Probabilities
from worker.files.datasets import Dataset, load_mnist
from worker.reading.bundle import ModelError
from worker.reading.engine import Engine

IMAGES = 256
LEAST_RIGHT = 0.5  # any digit model reads far more than half; a broken one about a tenth


def try_out(engine: Engine) -> float:
    """Read a sample of MNIST's test digits.

    Returns:
        The share that is read right.

    Raises:
        ModelError: its outputs are not probabilities, or it reads less than half of them right.
    """
    digits = sample()
    # predict() normalizes means over views: checked are the model's own outputs.
    check(engine.view_probabilities(digits.images))
    right = float((engine.predict(digits.images).argmax(1) == digits.labels).mean())
    if right < LEAST_RIGHT:
        raise ModelError(
            f"expected at least {LEAST_RIGHT:.0%} of {IMAGES} sample digits to be read right,"
            f" received {right:.1%}"
        )
    return right


@cache
def sample() -> Dataset:
    """256 of MNIST's test digits from all of its length: its first half is written more neatly."""
    test = load_mnist("test")
    chosen = np.arange(IMAGES) * len(test) // IMAGES
    return Dataset(test.images[chosen], test.labels[chosen])


def check(probabilities: Probabilities) -> None:
    """Check that each row is finite, lies in 0 to 1, and sums to 1; else ModelError."""
    if not np.isfinite(probabilities).all():
        raise ModelError("expected finite probabilities, received some that are no numbers")
    low, high = float(probabilities.min()), float(probabilities.max())
    if low < -1e-6 or high > 1 + 1e-3:
        raise ModelError(f"expected probabilities from 0 to 1, received {low:.3g} to {high:.3g}")
    sums = probabilities.sum(1)
    worst = float(sums[np.abs(sums - 1).argmax()])
    if abs(worst - 1) > 1e-3:
        raise ModelError(f"expected probabilities that sum to 1, received a sum of {worst:.4g}")
