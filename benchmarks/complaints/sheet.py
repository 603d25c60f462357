"""A sheet on which digits and lines are drawn, and the scene that it becomes."""

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.scenes import grain, inked, light_of, sized
from worker.files.datasets import Dataset

Rng = np.random.Generator


@dataclass(frozen=True)
class Scene:
    """A page, the text that is right, and which of its kind's forms it has.

    image: uint8, shape (height, width, 3).
    file: the image as a file, where that is not a PNG of it.
    plain: the same numbers without what makes the page hard, sheet by sheet, where there is that.
    """

    image: np.ndarray
    text: str
    kind: str
    file: bytes = b""
    plain: tuple[np.ndarray, ...] = ()


class Sheet:
    """Ink from 0 to 1 on a sheet, on which digits and lines are drawn.

    ink: of all that is on it; written: of the digits alone. float32, shape (height, width).
    """

    def __init__(self, digits: Dataset, rng: Rng, height: int, width: int):
        self.digits, self.rng = digits, rng
        self.ink = np.zeros((height, width), np.float32)
        self.written = np.zeros((height, width), np.float32)

    def put(self, ink: np.ndarray, x: float, y: float) -> None:
        """Lay a digit's ink with its left upper corner here; what is outside is cut off."""
        left, top = round(x), round(y)
        height, width = self.ink.shape
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(width, left + ink.shape[1]), min(height, top + ink.shape[0])
        if x0 < x1 and y0 < y1:
            part = ink[y0 - top : y1 - top, x0 - left : x1 - left]
            for place in (self.ink[y0:y1, x0:x1], self.written[y0:y1, x0:x1]):
                np.maximum(place, part, out=place)

    def number(self, length: int, tall: float, x: float, middle: float, apart=(0.12, 0.45)):
        """Write a number; return its text and its box (left, top, right, bottom)."""
        text, left, boxes = "", x, []
        for _ in range(length):
            ink, label = self.digit(tall * self.rng.uniform(0.9, 1.1))
            top = middle - len(ink) / 2 + self.rng.uniform(-0.04, 0.04) * tall
            self.put(ink, left, top)
            boxes.append((left, top, left + ink.shape[1], top + len(ink)))
            left += ink.shape[1] + tall * self.rng.uniform(*apart)
            text += label
        return text, boxes

    def digit(self, tall: float) -> tuple[np.ndarray, str]:
        row = int(self.rng.integers(len(self.digits)))
        ink = sized(self.digits.images[row], max(6, round(tall))).astype(np.float32) / 255
        return np.clip(ink, 0, 1), str(self.digits.labels[row])

    def stroke(self, points: np.ndarray, thick: float) -> None:
        """Draw a line through points, with smooth edges."""
        line = np.zeros(self.ink.shape, np.uint8)
        fixed = np.rint(np.asarray(points) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(line, [fixed], False, 255, max(1, round(thick)), cv2.LINE_AA, 4)
        np.maximum(self.ink, line / np.float32(255), out=self.ink)

    def line(self, start, end, thick: float, waves: float = 0.0) -> None:
        """Draw a line by hand: it bends a little, by a share of its length."""
        start, end = np.array(start, float), np.array(end, float)
        along = np.linspace(0, 1, 40)[:, None]
        length = float(np.hypot(*(end - start)))
        across = np.array([-(end - start)[1], (end - start)[0]]) / max(length, 1)
        bend = waves * length * np.sin(along * np.pi * self.rng.uniform(1, 3))
        self.stroke(start + along * (end - start) + bend * across, thick)

    def ring(self, centre, radii, thick: float) -> None:
        """Draw a ring by hand: its ends may not quite meet."""
        start, over = self.rng.uniform(0, 2 * np.pi), self.rng.uniform(-0.1, 0.25)
        angle = np.linspace(start, start + 2 * np.pi + over, 80)
        wobble = 1 + self.rng.uniform(0, 0.05) * np.sin(angle * 2 + start)
        wobble *= np.linspace(1, self.rng.uniform(0.97, 1.04), 80)
        points = np.stack([np.cos(angle) * radii[0], np.sin(angle) * radii[1]], axis=1)
        self.stroke(points * wobble[:, None] + centre, thick)

    def scene(self, text: str, kind: str) -> Scene:
        """Return the sheet as a scene, whose plain one has no lines but is the same in all else."""
        generator = self.rng.bit_generator
        before = generator.state
        image, after = self.image(), generator.state
        generator.state = before
        plain = self._seen(self.written)
        generator.state = after
        return Scene(image, text, kind, plain=(plain,))

    def image(self) -> np.ndarray:
        """Return the sheet as a scan or a photo of it: uint8, shape (height, width, 3)."""
        return self._seen(self.ink)

    def _seen(self, ink: np.ndarray) -> np.ndarray:
        rng, (height, width) = self.rng, ink.shape
        paper = np.full((height, width, 3), rng.uniform(205, 252), np.float32)
        paper *= rng.uniform(0.94, 1.0, 3)
        if rng.random() < 0.5:
            paper += grain(height, width, rng)[..., None]
        colour = rng.uniform(15, 90) * rng.uniform(0.8, 1.2, 3)
        page = inked(paper, ink, colour).astype(np.float32)
        if rng.random() < 0.4:
            page *= 0.5 + 0.5 * light_of(height, width, rng)[..., None]
        page += rng.normal(0, rng.uniform(0, 3), (height, width, 1))
        return np.clip(page, 0, 255).astype(np.uint8)


def a_pen(rng: Rng, tall: float) -> float:
    return float(max(1.0, tall * rng.choice([rng.uniform(0.015, 0.05), rng.uniform(0.05, 0.14)])))


def an_outline_pen(rng: Rng, tall: float) -> float:
    return float(max(1.0, tall * rng.uniform(0.015, 0.09)))


def a_note(digits: Dataset, rng: Rng) -> tuple[Sheet, str, list]:
    tall, lines = rng.uniform(50, 110), int(rng.choice([1, 1, 1, 2, 3]))
    lengths = rng.integers(2, 7, lines)
    pitch = tall * rng.uniform(1.5, 2)
    margin = tall * rng.uniform(0.5, 2.5, 4)
    high, wide = pitch * lines + margin[:2].sum(), tall * lengths.max() * 2 + margin[2:].sum()
    sheet, texts, boxes = Sheet(digits, rng, round(high), round(wide)), [], []
    for number, length in enumerate(lengths):
        y = margin[0] + pitch * (number + 0.5)
        text, own = sheet.number(int(length), tall, margin[2], y)
        texts.append(text)
        boxes += own
    sheet.ink = sheet.ink[:, : round(max(box[2] for box in boxes) + margin[3])]
    return sheet, " ".join(texts), boxes
