"""Ink in a colour that is as light as its ground."""

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from benchmarks.scenes import grain, light_of
from worker.files.datasets import Dataset

LUMINANCE = np.array([0.299, 0.587, 0.114])


def colours(digits: Dataset, rng: Rng) -> Scene:
    """A number in a colour that is as light as the colour of its ground."""
    tall, length = rng.uniform(30, 140), int(rng.integers(1, 6))
    sheet = Sheet(
        digits, rng, round(tall * rng.uniform(1.8, 3)), round(tall * (length * 1.5 + 1.5))
    )
    text, _ = sheet.number(length, tall, tall * 0.7, len(sheet.ink) / 2)
    ground, pen = _equally_light(rng)
    paper = np.full((*sheet.ink.shape, 3), ground, np.float32)
    if rng.random() < 0.5:
        paper += grain(*sheet.ink.shape, rng)[..., None]
    page = paper + sheet.ink[..., None] * (pen - paper)
    if rng.random() < 0.3:
        page *= 0.6 + 0.4 * light_of(*sheet.ink.shape, rng)[..., None]
    page += rng.normal(0, rng.uniform(0, 3), page.shape)
    image = np.clip(page, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        return Scene(image, text, "PNG", cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))]
    file = cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()
    return Scene(image, text, "JPEG", file)


def _equally_light(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Return two colours that differ by at most 10 levels of luminance, and by far in colour."""
    while True:
        ground, pen = rng.uniform(20, 250, (2, 3))
        ground[:] += (pen @ LUMINANCE - ground @ LUMINANCE) + rng.uniform(-10, 10)
        apart = np.abs(ground - pen).max()
        if ground.min() >= 10 and ground.max() <= 250 and apart >= 80:
            return ground, pen
