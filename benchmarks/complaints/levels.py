"""Grey levels that are not of eight bits."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from worker.files.datasets import Dataset


def levels(digits: Dataset, rng: Rng) -> Scene:
    """A number whose grey levels are not of eight bits."""
    tall, length = rng.uniform(30, 120), int(rng.integers(1, 5))
    sheet = Sheet(
        digits, rng, round(tall * rng.uniform(1.8, 3)), round(tall * (length * 1.5 + 1.5))
    )
    text, _ = sheet.number(length, tall, tall * 0.7, len(sheet.ink) / 2)
    page = sheet.image()
    grey = page.mean(axis=2) / 255 + rng.uniform(-0.5, 0.5, page.shape[:2]) / 255
    grey = np.clip(1 - grey if rng.random() < 0.3 else grey, 0, 1)
    form = list(LEVELS)[int(rng.integers(len(LEVELS)))]
    buffer = io.BytesIO()
    deep = LEVELS[form](grey, rng)
    kind = "PNG" if deep.dtype == np.uint16 and rng.random() < 0.5 else "TIFF"
    Image.fromarray(deep).save(buffer, kind)
    return Scene(page, text, form, buffer.getvalue())


def _of_bits(bits: int) -> Callable[[np.ndarray, Rng], np.ndarray]:
    return lambda grey, rng: np.rint(grey * (2**bits - 1) * rng.uniform(0.8, 1)).astype(np.uint16)


def _of_floats(grey: np.ndarray, rng: Rng) -> np.ndarray:
    return grey.astype(np.float32)


def _standardised(grey: np.ndarray, rng: Rng) -> np.ndarray:
    return ((grey - grey.mean()) / max(float(grey.std()), 1e-6)).astype(np.float32)


def _centred(grey: np.ndarray, rng: Rng) -> np.ndarray:
    return (grey * 2 - 1).astype(np.float32)


def _with_hot_pixels(grey: np.ndarray, rng: Rng) -> np.ndarray:
    hot = grey.astype(np.float32).copy()
    where = rng.integers(0, hot.size, max(1, hot.size // 100_000))
    hot.ravel()[where] = rng.choice([np.inf, np.nan, -np.inf, 50.0], where.shape)
    return hot


def _signed(grey: np.ndarray, rng: Rng) -> np.ndarray:
    return np.rint((grey - rng.uniform(0.2, 0.8)) * rng.uniform(300, 60_000)).astype(np.int32)


def _counts(grey: np.ndarray, rng: Rng) -> np.ndarray:
    return np.rint(grey * rng.uniform(3e5, 2e9)).astype(np.int32)


LEVELS: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "10 bits": _of_bits(10),
    "12 bits": _of_bits(12),
    "14 bits": _of_bits(14),
    "16 bits": _of_bits(16),
    "0 to 1": _of_floats,
    "standardised": _standardised,
    "-1 to 1": _centred,
    "hot pixels": _with_hot_pixels,
    "signed": _signed,
    "32 bits": _counts,
}
