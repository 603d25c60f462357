"""Bare strokes that are 1s, and lone lines that are nothing."""

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from benchmarks.scenes import grain, light_of
from worker.files.datasets import Dataset

FINE = 4  # strokes are drawn so many times larger, for smooth edges
AROUND_NUMBER = 0.8  # of its height


def strokes(digits: Dataset, rng: Rng) -> Scene:
    """A bare stroke in a crop, in the middle of a cell, or in a line with digits."""
    return [_crop, _crop, _crop, _cell, _among_digits][int(rng.integers(5))](digits, rng)


def _crop(digits: Dataset, rng: Rng) -> Scene:
    height = round(float(np.exp(rng.uniform(np.log(8), np.log(300)))))
    tall = height * rng.uniform(0.4, 0.95)
    points, thick = _bare_stroke(rng, tall)
    wide = np.ptp(points[:, 0]) + thick
    width = round(min(300, max(8, wide + 2, height * rng.choice([0.5, 0.7, 1, 1, 1, 1.4]))))
    slack = np.maximum(0, (width - wide, height - tall)) / 2
    middle = np.array([width, height]) / 2 + slack * rng.uniform(-0.8, 0.8, 2)
    ink = _inked((height, width), points + middle, thick, rng)
    return Scene(_on_ground(ink, rng), "1", _of_size(height))


def _cell(digits: Dataset, rng: Rng) -> Scene:
    """A square cell of a form, cut out, with much margin."""
    side = int(rng.integers(24, 300))
    tall = max(8, side * rng.uniform(0.4, 0.65))
    points, thick = _bare_stroke(rng, tall)
    middle = side / 2 + side * rng.uniform(-0.1, 0.1, 2)
    return Scene(_on_ground(_inked((side, side), points + middle, thick, rng), rng), "1", "cell")


def _among_digits(digits: Dataset, rng: Rng) -> Scene:
    """A number of three to six digits, one or two of which are bare strokes."""
    tall, length = rng.uniform(30, 110), int(rng.integers(3, 7))
    around = tall * AROUND_NUMBER
    sheet = Sheet(digits, rng, round(tall + 2 * around), round(tall * (length * 1.6 + 2)))
    ones = set(rng.choice(length, int(rng.integers(1, 3)), replace=False).tolist())
    left, text = around, ""
    pen = rng.uniform(0.05, 0.15)
    for number in range(length):
        high = tall * rng.uniform(0.85, 1.1)
        if number in ones:
            points, thick = _bare_stroke(rng, high, pen * rng.uniform(0.6, 1.2))
            points += (left + thick / 2 - points[:, 0].min(), around + tall / 2)
            ink, label = _inked(sheet.ink.shape, points, thick, rng), "1"
            np.maximum(sheet.ink, ink, out=sheet.ink)
            wide = np.ptp(points[:, 0]) + thick
        else:
            ink, label = sheet.digit(high)
            sheet.put(ink, left, around + (tall - len(ink)) / 2)
            wide = ink.shape[1]
        left, text = left + wide + tall * rng.uniform(0.15, 0.45), text + label
    sheet.ink = sheet.ink[:, : round(left + around)]
    return Scene(sheet.image(), text, "among digits")


def _bare_stroke(rng: Rng, tall: float, pen: float = 0.0) -> tuple[np.ndarray, float]:
    """Return the points of a stroke around (0, 0), so many pixels high with its ends; and how
    thick it is, by default from a hair (one pixel) to a fifth of its height."""
    pen = pen or float(rng.choice([rng.uniform(0.01, 0.2), np.exp(rng.uniform(-4.6, -1.6))]))
    thick = max(1.0, tall * pen)
    lean = np.tan(np.radians(rng.uniform(0, 30) * rng.choice([1, 1, 1, 1, -0.4])))
    along = np.linspace(-0.5, 0.5, 30) * (tall - thick)
    bend = tall * rng.choice([0, 0, rng.uniform(-0.05, 0.05)])
    across = -lean * along + bend * np.cos(np.linspace(-np.pi / 2, np.pi / 2, 30))
    across -= (across.min() + across.max()) / 2
    return np.stack([across, along], axis=1), thick


def _inked(shape: tuple[int, ...], points: np.ndarray, thick: float, rng: Rng) -> np.ndarray:
    """Return the ink of a stroke, from 0 to 1: its ends are round or cut off."""
    ink = np.zeros((shape[0] * FINE, shape[1] * FINE), np.uint8)
    if rng.random() < 0.5:
        fixed = np.rint(points * FINE * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(ink, [fixed], False, 255, max(1, round(thick * FINE)), cv2.LINE_AA, 4)
    else:
        half = np.array([thick / 2, 0])
        ends = np.array([[0, thick / 2]]) * np.array([[-1], [1]])
        points = np.concatenate([points[:1] + ends[:1], points[1:-1], points[-1:] + ends[1:]])
        outline = np.concatenate([points - half, points[::-1] + half]) * FINE * 16
        cv2.fillPoly(ink, [np.rint(outline).astype(np.int32)], 255, cv2.LINE_AA, 4)
    small = cv2.resize(ink, shape[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _on_ground(ink: np.ndarray, rng: Rng) -> np.ndarray:
    """Return a crop of dark ink on light paper, or of light ink on a dark ground."""
    paper, level = rng.uniform(200, 255), rng.uniform(0, 90)
    if rng.random() < 0.4:
        paper, level = rng.uniform(0, 50), rng.uniform(170, 255)
    if rng.random() < 0.2:  # a binary scan
        ink = (ink >= min(0.5, 0.7 * ink.max())).astype(np.float32)
    page = paper + (level - paper) * ink + rng.normal(0, rng.choice([0, 0, 2, 4]), ink.shape)
    return np.repeat(np.clip(page, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _of_size(side: int) -> str:
    return next(f"crop to {most} px" for most in (16, 32, 64, 128, 300) if side <= most)


def lone(digits: Dataset, rng: Rng) -> Scene:
    """Lines that are nothing, alone on a page or in a small crop."""
    forms = {
        "rules": _rules,
        "border": _border,
        "dash": _dash,
        "bracket": _bracket,
        "scratch": _scratch,
        "hair": _hair,
        "staple": _staple,
    }
    form = str(rng.choice([*forms, "rule in a crop", "border in a crop"]))
    if form in forms:
        height, width = (int(side) for side in np.exp(rng.uniform(np.log(400), np.log(2500), 2)))
        if form in ("hair", "staple"):
            height, width = [(1754, 1240), (2480, 1754), (3508, 2480)][int(rng.integers(3))]
        sheet = Sheet(digits, rng, height, width)
        forms[form](sheet)
        return Scene(_scanned(sheet.ink, rng), "", form)
    height, width = (int(side) for side in rng.integers(24, 300, 2))
    sheet = Sheet(digits, rng, height, width)
    (_rule_in_crop if form == "rule in a crop" else _border_in_crop)(sheet)
    return Scene(_on_ground(sheet.ink, rng), "", form)


def _scanned(ink: np.ndarray, rng: Rng) -> np.ndarray:
    height, width = ink.shape
    paper = np.full(ink.shape, rng.uniform(205, 252), np.float32)
    if rng.random() < 0.3:
        paper += grain(height, width, rng)
    page = paper + (rng.uniform(15, 120) - paper) * ink
    if rng.random() < 0.3:
        page *= 0.7 + 0.3 * light_of(height, width, rng)
    page += rng.standard_normal(page.shape, np.float32) * rng.uniform(0, 3)
    return np.repeat(np.clip(page, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _rules(sheet: Sheet) -> None:
    """One to five ruled lines across most of the page, level or nearly so."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    thick = max(1.0, height * rng.uniform(0.001, 0.006))
    ends = width * rng.uniform(0, 0.15), width * rng.uniform(0.7, 1.02)
    slope, pitch = rng.uniform(-0.03, 0.03), height * rng.uniform(0.04, 0.12)
    y = height * rng.uniform(0.1, 0.5)
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        rise = slope * (ends[1] - ends[0])
        sheet.line((ends[0], y), (ends[1], y + rise), thick, rng.uniform(0, 0.004))
        y += pitch


def _border(sheet: Sheet) -> None:
    """The edge of a page or a frame, along one to four sides of the image, or near them."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    thick = max(1.0, max(height, width) * rng.uniform(0.001, 0.02))
    far = max(height, width) * float(rng.choice([0, 0, rng.uniform(0, 0.04)]))
    left, top, right, bottom = far, far, width - 1 - far, height - 1 - far
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    first, count = int(rng.integers(4)), int(rng.choice([1, 1, 2, 4]))
    for number in range(first, first + count):
        start, end = np.array(corners[number % 4]), np.array(corners[number % 4 + 1])
        sheet.line(start, end + rng.uniform(-0.01, 0.01, 2) * width, thick, rng.uniform(0, 0.003))


def _dash(sheet: Sheet) -> None:
    rng, (height, width) = sheet.rng, sheet.ink.shape
    length = max(12, max(height, width) * rng.uniform(0.015, 0.15))
    x, y = rng.uniform(0.05, 0.8) * width, rng.uniform(0.05, 0.95) * height
    slope = rng.uniform(-0.15, 0.15)
    thick = length * rng.uniform(0.05, 0.25)
    sheet.line((x, y), (x + length, y + slope * length), max(1.0, thick), rng.uniform(0, 0.03))


def _bracket(sheet: Sheet) -> None:
    """A bracket, round or square, of a height from a digit's to a page's."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    tall = height * rng.uniform(0.08, 0.7)
    deep = tall * rng.uniform(0.12, 0.25)
    thick = max(1.0, tall * rng.uniform(0.015, 0.08))
    along = np.linspace(-0.5, 0.5, 30)
    if rng.random() < 0.5:
        points = np.stack([-deep * np.cos(along * np.pi), tall * along], axis=1)
    else:
        half = tall / 2
        points = np.array([(0, -half), (-deep, -half), (-deep, half), (0, half)])
    points = points * (rng.choice([-1, 1]), 1)
    middle = np.array([rng.uniform(0.2, 0.8) * width, height / 2 + 0.1 * tall * rng.normal()])
    sheet.stroke(points + middle, thick)


def _scratch(sheet: Sheet) -> None:
    """A thin line in any direction, straight or bent."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    length = max(30, max(height, width) * rng.uniform(0.05, 0.9))
    angle, middle = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8, 2) * (width, height)
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    thick = max(1.0, length * rng.uniform(0.002, 0.015))
    sheet.line(middle - half, middle + half, thick, rng.choice([0, rng.uniform(0, 0.1)]))


def _hair(sheet: Sheet) -> None:
    """A hair of 5 to 20 mm, or a thread, on a page of A4."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    dots = height / 297
    length, angle = rng.uniform(5, 20) * dots, rng.uniform(0, np.pi)
    middle = rng.uniform(0.05, 0.95, 2) * (width, height)
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    thick = max(1.0, rng.uniform(0.08, 0.2) * dots)
    sheet.line(middle - half, middle + half, thick, rng.choice([0, rng.uniform(0, 0.15)]))
    sheet.ink *= rng.uniform(0.5, 1)


def _staple(sheet: Sheet) -> None:
    """A staple, 10 to 13 mm long, in a corner of a page of A4."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    dots = height / 297
    corner = np.array([rng.choice([0, width]), rng.choice([0, height])])
    middle = np.abs(corner - rng.uniform(10, 22, 2) * dots)
    angle, length = rng.uniform(0, np.pi), rng.uniform(10, 13) * dots
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    sheet.line(middle - half, middle + half, max(1.0, rng.uniform(0.4, 0.8) * dots))


def _rule_in_crop(sheet: Sheet) -> None:
    rng, (height, width) = sheet.rng, sheet.ink.shape
    thick = max(1.0, height * rng.uniform(0.01, 0.06))
    ends = width * rng.uniform(0, 0.2), width * rng.uniform(0.8, 1.02)
    y, slope = height * rng.uniform(0.1, 0.95), rng.uniform(-0.04, 0.04)
    sheet.line((ends[0], y), (ends[1], y + slope * width), thick)


def _border_in_crop(sheet: Sheet) -> None:
    """A part of a box's side, at the left or right rim of a cell that was cut out."""
    rng, (height, width) = sheet.rng, sheet.ink.shape
    thick = max(1.0, width * rng.uniform(0.01, 0.06))
    x = rng.choice([0, width - 1]) + rng.uniform(-1, 1) * 0.02 * width
    x = float(np.clip(x, thick / 4, width - 1 - thick / 4))
    ends = height * rng.choice([0, rng.uniform(0, 0.15)]), height * rng.uniform(0.85, 1.05)
    sheet.line((x, ends[0]), (x + rng.uniform(-0.02, 0.02) * width, ends[1]), thick)
