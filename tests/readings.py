"""Readings of pictures, made by a real engine."""

import numpy as np

from tests.pictures import png
from worker.reading.engine import Engine
from worker.reading.reading import Reading, read_images


def read(engine: Engine, page: np.ndarray) -> Reading:
    """Read one picture: uint8, shape (height, width)."""
    (reading,) = read_images(engine, [png(page)])
    return reading
