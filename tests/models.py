"""Model files for tests: the shipped model, slightly changed or spoiled on purpose."""

from pathlib import Path

import keras
import numpy as np

from worker.reading.bundle import BUNDLED_MODEL
from worker.training.networks import LAST_LAYER


def changed_model(path: Path, scale: float = 1.01, shift: float = 0.0) -> Path:
    """Write the shipped model with its last layer's weights multiplied, and shifted, by this."""
    model = keras.saving.load_model(BUNDLED_MODEL, compile=False)
    layer = model.get_layer(LAST_LAYER)
    layer.set_weights([weights * scale + shift for weights in layer.get_weights()])
    model.save(path)
    return path


def mistaken_model(path: Path) -> Path:
    """Write the shipped model with its classes turned round by one: a 7 is read as 8."""
    model = keras.saving.load_model(BUNDLED_MODEL, compile=False)
    layer = model.get_layer(LAST_LAYER)
    layer.set_weights([np.roll(weights, 1, axis=-1) for weights in layer.get_weights()])
    model.save(path)
    return path


def noisy_model(path: Path, noise: float = 0.3) -> Path:
    """Write the shipped model with noise on its last layer's weights: it reads a little worse."""
    model = keras.saving.load_model(BUNDLED_MODEL, compile=False)
    layer, rng = model.get_layer(LAST_LAYER), np.random.default_rng(1)
    layer.set_weights([w + rng.normal(0, noise, w.shape) for w in layer.get_weights()])
    model.save(path)
    return path


def linear_model(path: Path) -> Path:
    """Write a model of the right shape whose output is no probabilities."""
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(11)]
    )
    model.save(path)
    return path


def flip_a_byte(path: Path):
    """Change one byte in the middle of a file."""
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
