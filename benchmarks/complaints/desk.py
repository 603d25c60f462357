"""Light sheets on something darker, as a phone sees them."""

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, a_note
from benchmarks.scenes import grain, jpeg, light_of
from worker.files.datasets import Dataset


def desk(digits: Dataset, rng: Rng) -> Scene:
    """One to three light sheets with numbers on something darker, as a phone sees them."""
    height, width = (int(side) for side in rng.integers(600, 1500, 2))
    kind, ground = _ground(height, width, rng)
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    page, texts, notes, light = ground, [], [], light_of(height, width, rng)
    across = width >= height
    for number in range(count):
        share = np.array([number / count, (number + 1) / count])
        place = (
            (width * share if across else (0, width)),
            ((0, height) if across else height * share),
        )
        cut = count == 1 and rng.random() < 0.35
        page, text, note = _laid(page, digits, rng, place, cut, across and count > 1)
        texts.append(text)
        notes.append(note)
    page = page * (light[..., None] if rng.random() < 0.7 else 1.0)
    page += rng.normal(0, rng.uniform(0, 5), (height, width, 1))
    page = jpeg(np.clip(page, 0, 255).astype(np.uint8), int(rng.integers(60, 95)))
    kind = kind if count == 1 else "several sheets"
    return Scene(page, " ".join(texts), kind, plain=tuple(notes))


def _ground(height: int, width: int, rng: Rng) -> tuple[str, np.ndarray]:
    """Return what a sheet lies on: float32, shape (height, width, 3)."""
    kind = str(rng.choice(["wood", "black", "cloth", "lid"]))
    level = {"black": rng.uniform(5, 30), "lid": rng.uniform(30, 160)}.get(
        kind, rng.uniform(30, 120)
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    colour = rng.uniform(0.93, 1.07, 3)
    texture = grain(height, width, rng) / 30
    if kind == "wood":
        colour = np.array([0.55, 0.8, 1.2]) * rng.uniform(0.9, 1.1, 3)
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(8, 60)
        bend = pitch * rng.uniform(0.1, 1.0) * np.sin(x / rng.uniform(80, 400))
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle) + bend) / pitch * 2 * np.pi)
        noise = cv2.GaussianBlur(
            rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 12, sigmaY=0.8
        )
        texture = rng.uniform(0.05, 0.3) * wave + rng.uniform(0, 0.8) * noise
    elif kind == "cloth":
        colour = rng.uniform(0.5, 1.4, 3)
        pitch = rng.uniform(3, 12)
        texture = rng.uniform(0.05, 0.25) * np.sin(x / pitch * 2 * np.pi) * np.sin(y / pitch * 6)
    ground = level * colour * np.clip(1 + texture, 0.2, 2)[..., None]
    return kind, np.clip(ground, 0, 190).astype(np.float32)


def _laid(ground: np.ndarray, digits: Dataset, rng: Rng, place, cut: bool, level: bool):
    """Return the ground with a sheet on a part of it, at half its height if level; its text; and
    the sheet alone."""
    sheet, text, boxes = a_note(digits, rng)
    note = sheet.image()
    image = note.astype(np.float32)
    high, wide = image.shape[:2]
    rectangle = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    (x0, x1), (y0, y1) = place
    ink = np.array(
        [p for a, b, c, d in boxes for p in ((a, b), (c, b), (c, d), (a, d))], np.float32
    )
    for _ in range(1000):
        corners = _seen(rectangle, rng)
        low, size = corners.min(axis=0), np.ptp(corners, axis=0)
        room = np.array([x1 - x0, y1 - y0]) / size
        scale = min(room) * rng.uniform(0.45, 0.95) * (rng.uniform(1, 1.5) if cut else 1)
        corners = (corners - low) * scale
        room = np.array([x1 - x0, y1 - y0]) - size * scale
        shift = rng.uniform(np.minimum(0, room), np.maximum(0, room))
        if cut:
            shift += rng.choice([-1, 0, 1], 2) * size * scale * rng.uniform(0.05, 0.3)
        if level:
            shift[1] = room[1] * rng.uniform(0.45, 0.55)
        corners += shift + np.array([x0, y0])
        matrix = cv2.getPerspectiveTransform(rectangle, corners.astype(np.float32))
        seen = cv2.perspectiveTransform(ink[:, None], matrix)[:, 0]
        inside = (seen > (x0 + 8, y0 + 8)).all() and (seen < (x1 - 8, y1 - 8)).all()
        if inside and (boxes[0][3] - boxes[0][1]) * scale > 24:
            break
    size = ground.shape[1], ground.shape[0]
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    laid = cv2.warpPerspective(image, matrix, size, flags=flags)
    cover = cv2.warpPerspective(np.ones(image.shape[:2], np.float32), matrix, size)
    shade = cv2.GaussianBlur(cover, (0, 0), rng.uniform(2, 12))
    shade = np.roll(shade, rng.integers(-8, 9, 2), (0, 1)) * rng.uniform(0, 0.6)
    ground = ground * (1 - shade[..., None])
    return ground * (1 - cover[..., None]) + laid * cover[..., None], text, note


def _seen(rectangle: np.ndarray, rng: Rng) -> np.ndarray:
    """Return a rectangle's corners turned by up to 25 degrees and seen at a slant."""
    angle = np.radians(rng.uniform(-25, 25))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    corners = (rectangle - rectangle.mean(axis=0)) @ turn
    side = np.ptp(corners, axis=0)
    x, y = (corners / side).T
    along, across = rng.uniform(-0.25, 0.25, 2)
    depth = 1 + along * y + across * x
    return corners / depth[:, None]
