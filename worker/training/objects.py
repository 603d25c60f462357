"""Filled shapes, noise and shade: ink that was never written."""

import math

import cv2
import numpy as np

from worker.arrays import Floats, Pixels
from worker.images.finding import BOX
from worker.training.augmentation import CANVAS, MIDDLE, cropped

ROWS, COLUMNS = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)


def on_canvas(page: Pixels) -> Pixels:
    """Scale a page to the size of a drawn digit: uint8, shape (56, 56)."""
    scale = (2 * BOX) / max(page.shape)
    size = tuple(max(1, round(side * scale)) for side in page.shape[::-1])
    page = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    top, left = (CANVAS - page.shape[0]) // 2, (CANVAS - page.shape[1]) // 2
    canvas[top : top + page.shape[0], left : left + page.shape[1]] = page
    return canvas


def _texture(rng: np.random.Generator) -> Floats:
    """Return a smooth or coarse, striped or checked shade: float32, shape (56, 56)."""
    down, across = (int(side) for side in rng.choice([1, 2, 4, 8, 16, 28], 2))
    shade = rng.uniform(0.3, 1.0) + rng.uniform(0, 0.6) * rng.normal(0, 1, (down, across))
    how = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST
    texture: Floats = cv2.resize(shade.astype(np.float32), (CANVAS, CANVAS), interpolation=how)
    return texture


def silhouette(rng: np.random.Generator) -> Pixels:
    """A filled shape that is the same on both sides, or on none: clothes, bottles, stains."""
    half = CANVAS / 2 - rng.choice([0.0, 2.0, 6.0])
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    if rng.random() < 0.65:
        # How wide it is on its way down; steps are shoulders, sleeves and hems.
        count = int(rng.integers(2, 7))
        widths = rng.uniform(0.2, 1, count) * half * rng.uniform(0.5, 1)
        how = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_NEAREST
        steps = cv2.resize(widths[None].astype(np.float32), (CANVAS, 1), interpolation=how)[0]
        inside = (np.abs(COLUMNS - MIDDLE) <= steps[:, None]) & (np.abs(ROWS - MIDDLE) <= half)
        if rng.random() < 0.25:  # two legs
            crotch = rng.uniform(0.1, 0.7) * CANVAS
            inside &= (np.abs(COLUMNS - MIDDLE) > rng.uniform(0.5, 4)) | (crotch > ROWS)
        if rng.random() < 0.4:  # sleeves
            low, out = rng.uniform(0.3, 0.95), rng.uniform(0.55, 1)
            arm = np.abs(np.abs(COLUMNS - MIDDLE) - out * half * (0.5 + 0.5 * ROWS / CANVAS))
            inside |= (arm < rng.uniform(2, 6)) & (CANVAS / 2 - half < ROWS) & (low * CANVAS > ROWS)
        canvas[inside] = 255
        if rng.random() < 0.3:
            canvas = np.ascontiguousarray(np.rot90(canvas))
    else:
        corners = int(rng.integers(3, 12))
        angles = np.sort(rng.uniform(0, 2 * math.pi, corners))
        reach = rng.uniform(0.25, 1.1, corners) * half
        flat = np.array([1, rng.uniform(0.3, 1)])
        outline = np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1) * flat + MIDDLE
        cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], 255)
    for _ in range(rng.integers(0, 4)):  # straps, handles and heels
        points = (rng.uniform(-1, 1, (3, 2)) * half + MIDDLE).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, int(rng.integers(1, 5)), cv2.LINE_AA)
    return _dyed(canvas, rng)


def garment(rng: np.random.Generator) -> Pixels:
    """Shoulders, waist and hem, and sleeves of any length, as a filled shape."""
    top, bottom = rng.uniform(4, 12), CANVAS - rng.uniform(4, 10)
    high = bottom - top
    shoulder, hem = rng.uniform(5, 17), rng.uniform(4, 24)
    waist = (shoulder + hem) / 2 * rng.uniform(0.7, 1.05)
    neck, deep = shoulder * rng.uniform(0.15, 0.6), rng.uniform(0, 0.15) * high
    drop = rng.uniform(0, 0.1) * high
    right = [(0, top + deep), (neck, top), (shoulder, top + drop)]
    armpit = top + drop + rng.uniform(0.1, 0.25) * high
    if rng.random() < 0.7:
        angle, length = math.radians(rng.uniform(20, 88)), rng.uniform(0.1, 0.9) * high
        out, down = length * math.cos(angle), length * math.sin(angle)
        wide = rng.uniform(3, 7)
        right += [(shoulder + out, top + drop + down), (shoulder + out - wide, top + drop + down)]
        right += [(shoulder - wide / 2, armpit)]
    right += [(waist, top + rng.uniform(0.4, 0.65) * high), (hem, bottom)]
    if rng.random() < 0.15:  # legs
        right += [(rng.uniform(0.5, 3), bottom), (0, top + rng.uniform(0.3, 0.6) * high)]
    half = np.array(right)
    outline = np.concatenate([half, half[::-1] * (-1, 1)]) + np.array([MIDDLE, 0])
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], 255)
    if rng.random() < 0.3:  # a seam down the middle
        cv2.line(canvas, (28, int(top)), (28, int(bottom)), int(rng.integers(0, 160)), 1)
    return _dyed(canvas, rng)


def shoe(rng: np.random.Generator) -> Pixels:
    """A sole, flat or on a heel, with straps or a closed upper."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    rise, heel, toe = rng.uniform(0, 26), rng.uniform(4, 10), CANVAS - rng.uniform(4, 10)
    low = CANVAS - rng.uniform(8, 20)
    x = np.array([heel, heel + rng.uniform(6, 12), toe - rng.uniform(8, 18), toe])
    y = low - np.array([rise, rise * rng.uniform(0.7, 1), rng.uniform(0, 3), rng.uniform(0, 3)])
    sole = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
    cv2.polylines(canvas, [sole], False, 255, int(rng.integers(2, 7)), cv2.LINE_AA)
    if rise > 8 and rng.random() < 0.8:
        foot = round(heel + rng.uniform(-2, 5)), round(low)
        cv2.line(canvas, tuple(sole[0].tolist()), foot, 255, int(rng.integers(1, 7)), cv2.LINE_AA)
    ankle = y[0] - rng.uniform(4, 22)
    if rng.random() < 0.5:
        upper = [(heel, ankle), (heel + rng.uniform(8, 16), ankle), (toe, y[3] - rng.uniform(1, 6))]
        outline = np.concatenate([sole, np.rint(upper[::-1]).astype(np.int32)])
        cv2.fillPoly(canvas, [outline], 255)
    else:
        for _ in range(rng.integers(1, 5)):
            start, end = np.sort(rng.uniform(0, 1, 2))
            ends = [
                (heel + (toe - heel) * share, np.interp(share, [0, 1], y[[0, 3]]))
                for share in (start, end)
            ]
            crest = (ends[0][0] + ends[1][0]) / 2, min(ends[0][1], ends[1][1]) - rng.uniform(3, 16)
            strap = np.rint([ends[0], crest, ends[1]]).astype(np.int32)
            cv2.polylines(canvas, [strap], False, 255, int(rng.integers(1, 5)), cv2.LINE_AA)
        if rng.random() < 0.5:
            back = round(heel + rng.uniform(0, 6)), max(2, round(ankle))
            cv2.line(
                canvas, tuple(sole[0].tolist()), back, 255, int(rng.integers(1, 4)), cv2.LINE_AA
            )
    if rng.random() < 0.5:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
    return _dyed(canvas, rng)


def _dyed(canvas: Pixels, rng: np.random.Generator) -> Pixels:
    dye = np.clip(_texture(rng), 0, 1.2)
    if rng.random() < 0.5:  # most cloth is plain
        dye = rng.uniform(0.4, 1) + (dye - float(dye.mean())) * rng.uniform(0, 0.4)
    dyed: Pixels = np.clip(canvas * dye, 0, 255).astype(np.uint8)
    return dyed


def noise(rng: np.random.Generator) -> Pixels:
    """Dots, coarse or fine, or the largest spot among them."""
    side = int(rng.integers(4, CANVAS))
    dots = rng.uniform(-1, 1, (side, side)).astype(np.float32) + rng.uniform(-0.9, 0.2)
    if rng.random() < 0.3:
        dots = cv2.GaussianBlur(dots, (0, 0), 1) * 2
    if rng.random() < 0.5:
        count, spots, stats, _ = cv2.connectedComponentsWithStats((dots > 0.1).astype(np.uint8))
        if count > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            dots = cropped(np.where(spots == largest, dots, 0))
    shown = np.clip(dots * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        large: Pixels = cv2.resize(shown, (CANVAS, CANVAS), interpolation=cv2.INTER_NEAREST)
        return large
    return on_canvas(shown)


def shade(rng: np.random.Generator) -> Pixels:
    """A soft spot or band, as light and shadow leave them."""
    angle = rng.uniform(0, math.pi)
    x, y = COLUMNS - MIDDLE + rng.uniform(-20, 20), ROWS - MIDDLE + rng.uniform(-20, 20)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    soft = np.exp(-((along / rng.uniform(4, 30)) ** 2) - (across / rng.uniform(4, 30)) ** 2)
    if rng.random() < 0.5:
        soft = 1 / (1 + np.exp(np.minimum(-along / rng.uniform(0.5, 8), 80)))
    grain = rng.normal(0, rng.uniform(0, 0.15), soft.shape)
    pixels: Pixels = np.clip((soft + grain) * 255, 0, 255).astype(np.uint8)
    return pixels
