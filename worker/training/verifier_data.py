"""Training data of the verifier: parts of cut strings of MNIST's digits, and their targets.

The strings are cut by the same code that cuts people's. Of each part it is known how much of its
digit is missing, and how much other ink it has.
"""

import multiprocessing
import os

import cv2
import numpy as np

from worker.arrays import Labels, Mask, Pixels, Probabilities
from worker.files.datasets import load_mnist
from worker.images.pieces import DARK
from worker.images.shapes import Shape
from worker.reading.segmentation import cut_parts
from worker.reading.verifier import in_context
from worker.training import letters, objects
from worker.training.augmentation import cropped
from worker.training.cuttings import HEIGHT, INK, degraded_page, touching, written

NOT_A_DIGIT = 10
# The shares of shapes that are made of 0, 1, 2, 3 and 4 digits.
DIGITS = (0.15, 0.29, 0.35, 0.16, 0.05)
WITH_A_ONE = 0.3  # of strings: a slice of another digit looks most like a 1
MOST_DIGITS, MOST_OTHERS = 5, 8  # parts of one shape that are (nearly) digits, and that are not
# From the first bound on, the target for the digit falls, to 0 at the second. Each is a share of
# ink: missing ink of its digit, other ink relative to a usual digit, and ink of a neighbour.
LACK, EXTRA, NEIGHBOUR = (0.15, 0.45), (0.2, 0.5), (0.35, 0.6)
CHUNK = 4000  # parts that are made with one seed


def make_parts(count: int, seed: int) -> tuple[Pixels, Probabilities]:
    """Make parts of strings, with all cores.

    Args:
        count: how many.
        seed: the same seed makes the same parts.

    Returns:
        uint8, shape (n, 24, 48, 2), as verifier.in_context returns them, and the probabilities to
        learn, float32, shape (n, 11): of the digits 0 to 9 and, last, of "not one whole digit".
    """
    chunks = [
        ((seed, number), min(CHUNK, count - start))
        for number, start in enumerate(range(0, count, CHUNK))
    ]
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        made = pool.starmap(_chunk, chunks, chunksize=1)
    seen, targets = zip(*made, strict=True)
    return np.concatenate(seen), np.concatenate(targets)


def _chunk(seeds: tuple[int, int], count: int) -> tuple[Pixels, Probabilities]:
    cv2.setNumThreads(1)
    rng, digits = np.random.default_rng(seeds), load_mnist("train")
    parts: list[tuple[Pixels, Probabilities]] = []
    while len(parts) < count:
        parts += parts_of_one(digits.images, digits.labels, rng)
    seen, targets = zip(*parts[:count], strict=True)
    return np.stack(seen), np.stack(targets)


def parts_of_one(
    images: Pixels, labels: Labels, rng: np.random.Generator
) -> list[tuple[Pixels, Probabilities]]:
    """Make one shape, cut it, and return some of its parts with their target probabilities.

    Args:
        images: uint8, shape (n, 28, 28): digits to make strings of; 0 is paper.
        labels: which digits they are, shape (n,).
        rng: the source of chance.
    """
    rows = rng.integers(0, len(images), rng.choice(len(DIGITS), p=DIGITS))
    if rows.size and rng.random() < WITH_A_ONE:
        rows[rng.integers(rows.size)] = rng.choice(np.flatnonzero(labels == 1))
    page, digits = _page(images[rows], rng)
    page = degraded_page(page, rng)
    whole = Shape(0, 0, page).masked(page > 0)
    if whole is None or whole.ink.max() < DARK:
        return []
    parts = [part for _, _, part in cut_parts(whole, whole.height)[1]]
    rng.shuffle(parts)
    left = {True: MOST_DIGITS, False: MOST_OTHERS}
    some = []
    for part in [whole, *parts]:
        target = _target(part, page.shape, digits, labels[rows])
        is_digit = target[NOT_A_DIGIT] < 1
        if left[is_digit]:
            left[is_digit] -= 1
            some.append((in_context(part, whole), target))
    return some


def _page(images: Pixels, rng: np.random.Generator) -> tuple[Pixels, list[Mask]]:
    """Return the ink of a string, or of another object, and the mask of each digit."""
    if len(images) > 1:
        return touching(images, rng)
    if len(images):
        page = np.pad(written(images[0], rng), 4)
        return page, [page > INK]
    kinds = letters.letter, letters.strokes_at_random, objects.silhouette, objects.garment
    drawn = cropped(kinds[rng.choice(len(kinds), p=(0.7, 0.14, 0.08, 0.08))](rng))
    scale = HEIGHT / max(drawn.shape)
    return np.pad(cv2.resize(drawn, None, fx=scale, fy=scale), 4), []


def _target(
    part: Shape, size: tuple[int, ...], digits: list[Mask], labels: Labels
) -> Probabilities:
    target = np.zeros(NOT_A_DIGIT + 1, np.float32)
    target[NOT_A_DIGIT] = 1
    mask = np.zeros(size, bool)
    mask[part.y : part.y + part.height, part.x : part.x + part.width] = part.ink > INK
    held = [int((mask & own).sum()) for own in digits]
    if not digits or not max(held):
        return target
    ink = [int(own.sum()) for own in digits]
    best = int(np.argmax([h / (n + mask.sum() - h) for h, n in zip(held, ink, strict=True)]))
    others = [own & ~digits[best] for own in digits if own is not digits[best]]
    neighbour = max(((mask & own).sum() / max(own.sum(), 1) for own in others), default=0.0)
    share = (
        _falling(1 - held[best] / ink[best], LACK)
        * _falling((mask & ~digits[best]).sum() / max(ink[best], np.mean(ink)), EXTRA)
        * _falling(neighbour, NEIGHBOUR)
    )
    target[labels[best]] = share
    target[NOT_A_DIGIT] = 1 - share
    return target


def _falling(amount: float, bounds: tuple[float, float]) -> float:
    """Return 1 up to the first bound, falling linearly to 0 at the second."""
    first, last = bounds
    return float(np.clip((last - amount) / (last - first), 0, 1))
