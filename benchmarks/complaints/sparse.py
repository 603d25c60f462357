"""One small number alone on a large page."""

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from benchmarks.scenes import light_of
from worker.files.datasets import Dataset


def sparse(digits: Dataset, rng: Rng) -> Scene:
    """One small number alone on a scan of A4."""
    dots = float(rng.choice([150, 200, 300])) / 25.4  # a millimetre
    height, width = round(297 * dots), round(210 * dots)
    tall, length = rng.uniform(3.8, 6.5) * dots, int(rng.integers(1, 6))
    sheet = Sheet(digits, rng, height, width)
    x = rng.uniform(0.06, 0.9) * width
    x = min(x, width * 0.95 - length * tall * 1.5)
    text, _ = sheet.number(length, tall, x, rng.uniform(0.05, 0.95) * height)
    sheet.ink **= rng.uniform(1, 3)  # a thin pen
    for _ in range(int(rng.integers(0, 6))):  # dust
        speck = rng.uniform(0.1, 0.35) * dots
        place = tuple(int(one) for one in rng.uniform(0, (width, height)))
        cv2.circle(sheet.ink, place, max(1, round(speck)), float(rng.uniform(0.3, 1)), -1)
    paper = np.full((height, width), rng.uniform(215, 252), np.float32)
    paper += (rng.uniform(20, 110) - paper) * sheet.ink
    if rng.random() < 0.3:
        paper *= 0.75 + 0.25 * light_of(height, width, rng)
    paper += rng.standard_normal(paper.shape, np.float32) * rng.uniform(0, 4)
    page = np.clip(paper, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        page = cv2.imdecode(cv2.imencode(".jpg", page)[1], cv2.IMREAD_GRAYSCALE)
    file = cv2.imencode(".png", page, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    return Scene(page, text, f"{round(dots * 25.4)} dpi", file)
