"""What all peers share: the model that ships, and a posted file as its input."""

from pathlib import Path
from typing import BinaryIO

import keras
import numpy as np
from PIL import Image

MODEL = Path(__file__).parents[3] / "worker" / "bundled" / "digits.keras"


def load() -> keras.Model:
    return keras.saving.load_model(MODEL, compile=False)


def load_warm() -> keras.Model:
    """Load the model, and let TensorFlow compile it for batches of any size."""
    model = load()
    for size in (1, 8, 64):
        read(model, np.zeros((size, 28, 28), np.float32))
    return model


def decoded(file: BinaryIO) -> np.ndarray:
    """Return the pixels of an image file: float32 from 0 to 1, shape (28, 28)."""
    return scaled(Image.open(file))


def scaled(image: Image.Image) -> np.ndarray:
    """Return the pixels of an image: float32 from 0 to 1, shape (28, 28)."""
    return np.asarray(image.convert("L"), np.float32) / np.float32(255)


def read(model: keras.Model, pixels: np.ndarray) -> list[int]:
    """Return the digit of each image; 10 is "not a digit".

    Args:
        pixels: float32 from 0 to 1, shape (n, 28, 28).
    """
    return model.predict_on_batch(pixels[..., None]).argmax(axis=1).tolist()
