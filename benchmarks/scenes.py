"""Pages and strings of MNIST's digits, with known truth: what finding digits is measured on."""

from dataclasses import dataclass

import cv2
import numpy as np

from worker.files.datasets import Dataset


@dataclass(frozen=True)
class Scene:
    """A page with digits.

    image: uint8, shape (height, width, 3), RGB.
    lines: the labels of each line, from top to bottom.
    """

    image: np.ndarray
    lines: list[str]

    @property
    def truth(self) -> str:
        return " ".join(self.lines)


def plain_page(digits: Dataset, rng: np.random.Generator) -> Scene:
    """One to three lines of dark digits on even, light paper, as a scanner gives them."""
    height, width = int(rng.integers(300, 700)), int(rng.integers(500, 1000))
    ink, lines = _written(digits, rng, (height, width), int(rng.integers(1, 4)))
    paper = np.full((height, width, 3), rng.uniform(225, 252), np.float32)
    paper += rng.normal(0, rng.uniform(0, 3), (height, width, 1))
    return Scene(inked(paper, ink, rng.uniform(20, 90, 1).repeat(3)), lines)


def hard_page(digits: Dataset, rng: np.random.Generator) -> Scene:
    """Two to five lines on ruled or squared, tinted, textured paper; in shadow, seen askew."""
    height, width = int(rng.integers(600, 1100)), int(rng.integers(700, 1300))
    ink, lines = _written(digits, rng, (height, width), int(rng.integers(2, 6)))
    paper = np.ones((height, width, 3), np.float32) * rng.uniform(190, 245)
    paper *= rng.uniform(0.9, 1.0, 3)
    paper += grain(height, width, rng)[..., None]
    _rule(paper, rng)
    page = inked(paper, ink, rng.uniform(20, 110) * rng.uniform(0.6, 1.2, 3))
    page = _askew(page, rng).astype(np.float32) * light_of(height, width, rng)[..., None]
    page += rng.normal(0, rng.uniform(1, 5), (height, width, 1))
    return Scene(jpeg(np.clip(page, 0, 255).astype(np.uint8), int(rng.integers(55, 95))), lines)


def string(digits: Dataset, rng: np.random.Generator, touching: float = 0.2) -> Scene:
    """Two to eight digits side by side, of whose neighbours this share touch."""
    count = int(rng.integers(2, 9))
    rows = rng.integers(0, len(digits), count)
    size = int(rng.integers(28, 90))
    shapes = [sized(digits.images[row], round(size * rng.uniform(0.9, 1.1))) for row in rows]
    tall = max(len(shape) for shape in shapes)
    page = np.zeros((2 * tall, sum(shape.shape[1] for shape in shapes) * 2 + 4 * tall), np.uint8)
    left = tall // 2
    for number, shape in enumerate(shapes):
        top = tall // 2 + (tall - len(shape)) // 2 + round(rng.uniform(-0.05, 0.05) * tall)
        top = max(0, top)
        if number:
            left = _beside(page, shape, left, top, rng.random() < touching, tall, rng)
        place = page[top : top + len(shape), left : left + shape.shape[1]]
        np.maximum(place, shape, out=place)
        left += shape.shape[1]
    page = page[:, : left + tall // 2]
    paper = np.full((*page.shape, 3), rng.uniform(220, 255), np.float32)
    image = inked(paper, page / np.float32(255), rng.uniform(10, 80, 1).repeat(3))
    return Scene(image, ["".join(str(digits.labels[row]) for row in rows)])


def _beside(page, shape, right: int, top: int, touch: bool, tall: int, rng) -> int:
    """Return the column for the next digit: with a gap, or where its ink just touches."""
    if not touch:
        clear = right + max(2, round(tall * 0.03))
        return clear + round(tall * rng.uniform(0.02, 0.3))
    rows = slice(top, top + len(shape))
    for left in range(right, max(0, right - shape.shape[1]), -1):
        met = (page[rows, left : left + shape.shape[1]] > 100) & (shape > 100)
        if met.any():
            return left - int(rng.integers(0, max(1, tall // 20) + 1))
    return right


def _written(digits: Dataset, rng, size, count: int) -> tuple[np.ndarray, list[str]]:
    """Write lines of digits: ink from 0 to 1, shape (height, width), and the lines' labels."""
    height, width = size
    ink, lines = np.zeros(size, np.float32), []
    pitch = height / (count + 0.4)
    most = min(pitch * 0.62, width / 5)
    for number in range(count):
        tall = rng.uniform(0.6, 1) * most
        left, line = width * rng.uniform(0.04, 0.12), ""
        base = pitch * (number + 0.35)
        climb = rng.uniform(-0.02, 0.02)
        wanted = int(rng.integers(2, 9))
        while len(line) < wanted:
            row = int(rng.integers(len(digits)))
            shape = sized(digits.images[row], round(tall * rng.uniform(0.88, 1.12)))
            top = round(base + (tall - len(shape)) / 2 + climb * left)
            if left + shape.shape[1] > width * 0.95 or top < 2:
                break
            x = round(left)
            place = ink[top : top + len(shape), x : x + shape.shape[1]]
            np.maximum(place, shape[: len(place)] / np.float32(255), out=place)
            line += str(digits.labels[row])
            left += shape.shape[1] + tall * rng.uniform(0.12, 0.5)
        if line:
            lines.append(line)
    return ink, lines


def sized(digit: np.ndarray, height: int) -> np.ndarray:
    """Return a digit's ink, cropped and enlarged to this height."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    ink = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = height / len(ink)
    size = max(1, round(ink.shape[1] * scale)), height
    if size[0] > 1.6 * height:  # a digit lying on its side keeps its width in bounds
        size = round(1.6 * height), max(1, round(height * 1.6 * height / size[0]))
    large = cv2.resize(ink, size, interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(large, (0, 0), 0.6)


def inked(paper: np.ndarray, ink: np.ndarray, colour: np.ndarray) -> np.ndarray:
    cover = np.clip(ink, 0, 1)[..., None]
    return np.clip(paper * (1 - cover) + colour.astype(np.float32) * cover, 0, 255).astype(np.uint8)


def grain(height: int, width: int, rng) -> np.ndarray:
    noise = rng.normal(0, 1, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.8, 3))
    return smooth / max(float(smooth.std()), 1e-6) * rng.uniform(0, 4)


def _rule(paper: np.ndarray, rng):
    """Print lines or squares, paler than ink."""
    kind = rng.choice(["none", "ruled", "squared"], p=[0.3, 0.45, 0.25])
    if kind == "none":
        return
    height, width = paper.shape[:2]
    pitch, thick = int(rng.integers(28, 90)), int(rng.integers(1, 3))
    colour = np.array([rng.uniform(110, 190), rng.uniform(130, 200), rng.uniform(170, 225)])
    for y in range(int(rng.integers(5, pitch)), height, pitch):
        paper[y : y + thick] = colour
    if kind == "squared":
        for x in range(int(rng.integers(5, pitch)), width, pitch):
            paper[:, x : x + thick] = colour


def _askew(page: np.ndarray, rng) -> np.ndarray:
    height, width = page.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.uniform(-0.035, 0.035, (4, 2)).astype(np.float32) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(page, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def light_of(height: int, width: int, rng) -> np.ndarray:
    """Return uneven light: a slope, a vignette, and the soft shadow of a hand."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - rng.uniform(0, 0.3) * (0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle)))
    light *= 1 - rng.uniform(0, 0.2) * (x * x + y * y) / 2
    if rng.random() < 0.5:
        side = x * np.cos(angle + 1) + y * np.sin(angle + 1) + rng.uniform(-0.5, 0.5)
        light *= 1 - rng.uniform(0.1, 0.35) / (1 + np.exp(-side / rng.uniform(0.03, 0.2)))
    return light.astype(np.float32)


def jpeg(page: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
