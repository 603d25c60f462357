"""Numbers ruled under, struck through, or added up over a line."""

import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet, a_pen
from worker.files.datasets import Dataset


def ruled(digits: Dataset, rng: Rng) -> Scene:
    """A number ruled under once or twice, struck through, or a sum over a line."""
    return [_ruled_under, _ruled_under, _sum, _sum, _struck_through][int(rng.integers(5))](
        digits, rng
    )


def _ruled_under(digits: Dataset, rng: Rng) -> Scene:
    tall, length = rng.uniform(40, 150), int(rng.integers(2, 7))
    sheet = Sheet(digits, rng, round(tall * rng.uniform(2.2, 4)), round(tall * (length * 1.4 + 2)))
    text, boxes = sheet.number(length, tall, tall * rng.uniform(0.4, 0.9), len(sheet.ink) * 0.42)
    left, right = boxes[0][0], boxes[-1][2]
    foot = max(box[3] for box in boxes)
    thick = a_pen(rng, tall)
    slope, waves = np.tan(np.radians(rng.uniform(-5, 5))), rng.uniform(0, 0.012)
    y = foot + thick / 2 + tall * rng.uniform(-0.05, 0.3) + abs(slope) * (right - left) / 2
    for _ in range(1 + int(rng.random() < 0.3)):
        x0 = left - tall * rng.uniform(-0.15, 0.35)
        x1 = right + tall * rng.uniform(-0.15, 0.35)
        half = slope * (x1 - x0) / 2
        sheet.line((x0, y - half), (x1, y + half), thick, waves)
        y += thick + tall * rng.uniform(0.06, 0.15)
    return sheet.scene(text, "ruled under")


def _struck_through(digits: Dataset, rng: Rng) -> Scene:
    tall, length = rng.uniform(50, 150), int(rng.integers(2, 6))
    sheet = Sheet(digits, rng, round(tall * rng.uniform(2, 3)), round(tall * (length * 1.4 + 2)))
    middle = len(sheet.ink) / 2
    text, boxes = sheet.number(length, tall, tall * 0.7, middle)
    slope = np.tan(np.radians(rng.uniform(-6, 6)))
    x0, x1 = boxes[0][0] - tall * rng.uniform(0.1, 0.4), boxes[-1][2] + tall * rng.uniform(0.1, 0.4)
    half, y = slope * (x1 - x0) / 2, middle + tall * rng.uniform(-0.12, 0.12)
    thick = max(1.0, tall * rng.uniform(0.015, 0.04))
    sheet.line((x0, y - half), (x1, y + half), thick, rng.uniform(0, 0.008))
    return sheet.scene(text, "struck through")


def _sum(digits: Dataset, rng: Rng) -> Scene:
    tall, rows = rng.uniform(40, 110), int(rng.integers(2, 4))
    length = int(rng.integers(2, 5))
    pitch = tall * rng.uniform(1.35, 1.8)
    sheet = Sheet(digits, rng, round(pitch * (rows + 2.2)), round(tall * (length + 3)))
    texts, y = [], pitch * 0.8
    left = right = tall * rng.uniform(1.1, 1.8)
    for _ in range(rows):
        text, boxes = sheet.number(length, tall, left, y, (0.15, 0.4))
        right = max(right, boxes[-1][2])
        texts.append(text)
        y += pitch
    foot, thick = max(box[3] for box in boxes), a_pen(rng, tall) * 0.7
    y = foot + tall * rng.uniform(0.08, 0.25) + thick
    slope = np.tan(np.radians(rng.uniform(-4, 4)))
    x0, x1 = left - tall * rng.uniform(0.1, 0.8), right + tall * rng.uniform(0.0, 0.4)
    half = slope * (x1 - x0) / 2
    sheet.line((x0, y - half), (x1, y + half), thick, rng.uniform(0, 0.01))
    text, _ = sheet.number(length, tall, left, y + pitch * 0.75 + abs(half), (0.15, 0.4))
    return sheet.scene(" ".join([*texts, text]), "sum")
