"""Digits in rings and boxes."""

import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet, an_outline_pen
from worker.files.datasets import Dataset


def outlined(digits: Dataset, rng: Rng) -> Scene:
    """Digits in a ring, a box, or a row of boxes."""
    return [_ringed, _one_of_them_ringed, _boxed, _boxes, _ring_around_all][int(rng.integers(5))](
        digits, rng
    )


def _ringed(digits: Dataset, rng: Rng) -> Scene:
    tall = rng.uniform(30, 150)
    side = round(tall * rng.uniform(2.4, 4))
    sheet = Sheet(digits, rng, side, round(side * rng.uniform(0.9, 1.6)))
    centre = np.array(sheet.ink.shape[::-1]) * rng.uniform(0.45, 0.55, 2)
    ink, text = sheet.digit(tall)
    sheet.put(ink, centre[0] - ink.shape[1] / 2, centre[1] - len(ink) / 2)
    radius = max(ink.shape) * rng.uniform(0.72, 1.05)
    sheet.ring(centre, (radius * rng.uniform(0.85, 1.1), radius), an_outline_pen(rng, tall))
    return sheet.scene(text, "in a ring")


def _one_of_them_ringed(digits: Dataset, rng: Rng) -> Scene:
    tall, length = rng.uniform(35, 110), int(rng.integers(2, 6))
    sheet = Sheet(digits, rng, round(tall * rng.uniform(2.4, 3)), round(tall * (length * 1.7 + 2)))
    text, boxes = sheet.number(length, tall, tall * 0.9, len(sheet.ink) / 2, (0.55, 0.8))
    left, top, right, bottom = boxes[int(rng.integers(length))]
    radii = (right - left) / 2 + tall * 0.25, (bottom - top) / 2 + tall * rng.uniform(0.12, 0.25)
    sheet.ring(((left + right) / 2, (top + bottom) / 2), radii, an_outline_pen(rng, tall) * 0.7)
    return sheet.scene(text, "one in a ring")


def _ring_around_all(digits: Dataset, rng: Rng) -> Scene:
    tall, length = rng.uniform(35, 110), int(rng.integers(2, 6))
    sheet = Sheet(digits, rng, round(tall * rng.uniform(3, 4)), round(tall * (length * 1.3 + 3.4)))
    text, boxes = sheet.number(length, tall, tall * 1.7, len(sheet.ink) / 2)
    left, right = boxes[0][0], boxes[-1][2]
    centre = (left + right) / 2, len(sheet.ink) / 2
    radii = (right - left) / 2 + tall * rng.uniform(0.6, 1.0), tall * rng.uniform(0.95, 1.2)
    sheet.ring(centre, radii, an_outline_pen(rng, tall))
    return sheet.scene(text, "all in a ring")


def _boxed(digits: Dataset, rng: Rng) -> Scene:
    tall = rng.uniform(30, 150)
    side = round(tall * rng.uniform(2, 3.4))
    sheet = Sheet(digits, rng, side, round(side * rng.uniform(0.9, 1.4)))
    centre = np.array(sheet.ink.shape[::-1]) / 2
    ink, text = sheet.digit(tall)
    sheet.put(ink, centre[0] - ink.shape[1] / 2, centre[1] - len(ink) / 2)
    half = max(ink.shape) * rng.uniform(0.53, 0.8)
    _box(sheet, centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half, tall)
    return sheet.scene(text, "in a box")


def _box(sheet: Sheet, left, top, right, bottom, tall: float, thick: float = 0.0) -> None:
    jitter, rng = 0.03 * tall * sheet.rng.random(), sheet.rng
    thick = thick or an_outline_pen(rng, tall)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    sheet.stroke(corners + rng.uniform(-jitter, jitter, corners.shape), thick)


def _boxes(digits: Dataset, rng: Rng) -> Scene:
    """A row of boxes, that share their sides or stand apart, with a digit in each."""
    tall, length = rng.uniform(30, 110), int(rng.integers(2, 7))
    cell = tall * rng.uniform(1.35, 1.8)
    apart = 0.0 if rng.random() < 0.5 else tall * rng.uniform(0.08, 0.4)
    sheet = Sheet(digits, rng, round(cell * 1.9), round((cell + apart) * length + tall))
    top, left, text = cell * 0.45, tall * 0.5, ""
    thick = an_outline_pen(rng, tall) * 0.6
    for _ in range(length):
        _box(sheet, left, top, left + cell, top + cell, tall * 0.3, thick)
        ink, label = sheet.digit(tall * rng.uniform(0.85, 1.05))
        slack = max(0.0, (cell - ink.shape[1]) / 2), max(0.0, (cell - len(ink)) / 2)
        x = left + slack[0] * rng.uniform(0.5, 1.5)
        sheet.put(ink, x, top + slack[1] * rng.uniform(0.5, 1.5))
        left, text = left + cell + apart, text + label
    return sheet.scene(text, "boxes")
