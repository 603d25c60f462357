"""Digits as scanners for forms gave them: 16x16 pixels, each of them black or white."""

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene
from worker.files.datasets import Dataset

SIDE = 16


def binary(digits: Dataset, rng: Rng) -> Scene:
    """A digit that fills 16x16 pixels, stretched to a square or not."""
    row = int(rng.integers(len(digits)))
    ink = digits.images[row]
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    is_stretched = bool(rng.random() < 0.5) and ink.shape[1] > 0.5 * len(ink)
    room = SIDE - 2 * int(rng.integers(0, 2))
    scale = room / max(ink.shape)
    size = (room, room) if is_stretched else tuple(max(1, round(n * scale)) for n in ink.shape)
    small = cv2.resize(ink, size[::-1], interpolation=cv2.INTER_AREA)
    page = np.zeros((SIDE, SIDE), bool)
    top, left = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    page[top : top + size[0], left : left + size[1]] = small > rng.uniform(0.3, 0.55) * 255
    grey = np.where(page == bool(rng.integers(2)), 255, 0).astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    return Scene(image, str(digits.labels[row]), "stretched" if is_stretched else "as written")
