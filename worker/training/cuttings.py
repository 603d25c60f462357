"""Training data from cut strings: parts that are digits, and parts that are not.

Strings are made of MNIST's digits, and cut by the same code that cuts them in people's images.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from worker.arrays import Labels, Mask, Pixels
from worker.images.finding import normalize
from worker.images.pieces import DARK
from worker.images.shapes import Shape
from worker.reading.segmentation import cut_parts
from worker.training.augmentation import cropped, draw, with_other_stroke_width

HEIGHT = 44  # of the digits in a string, in pixels
INK = 100  # darker pixels belong to a digit
SAME, OTHER = 0.8, 0.6  # overlap from which a part is that digit, and up to which it is not
LITTLE, MUCH = 0.35, 0.5  # of a neighbour: up to which a part is a digit, and above which not
MOST_CUTS = 5  # fewer than in reading: training has to be quick
MOST_OF_EACH = 4  # parts of one string that are digits, and that are not
MOST_STRINGS = 1000


def pieces_of_strings(
    images: Pixels, labels: Labels, count: int, not_a_digit: int, rng: np.random.Generator
) -> tuple[list[Pixels], list[int]]:
    """Cut strings of digits that touch, and return some of the parts.

    Args:
        images: uint8, shape (n, 28, 28): digits to make strings of; 0 is paper.
        labels: which digits they are, shape (n,).
        count: how many parts to return.
        not_a_digit: the label of a part that is not a digit.
        rng: the source of chance.

    Returns:
        As many uint8 images of shape (28, 28), and their labels.
    """
    found: list[tuple[Pixels, int]] = []
    for _ in range(MOST_STRINGS):
        if len(found) >= count:
            break
        rows = rng.integers(0, len(images), 3 if rng.random() < 0.2 else 2)
        found += _some_parts(images[rows], labels[rows], not_a_digit, rng)
    pixels, names = zip(*found[:count], strict=True) if found[:count] else ((), ())
    return list(pixels), list(names)


def _some_parts(
    images: Pixels, labels: Labels, not_a_digit: int, rng: np.random.Generator
) -> list[tuple[Pixels, int]]:
    page, digits = touching(images, rng)
    page = degraded_page(page, rng)
    wanted = {True: MOST_OF_EACH, False: MOST_OF_EACH}
    some = []
    parts = list(_labelled_parts(page, digits, labels, not_a_digit))
    for index in rng.permutation(len(parts)):
        part, label = parts[index]
        is_digit = label != not_a_digit
        if wanted[is_digit]:
            wanted[is_digit] -= 1
            some.append((normalize(part.ink), label))
    return some


def _labelled_parts(
    page: Pixels, digits: list[Mask], labels: Labels, not_a_digit: int
) -> Iterator[tuple[Shape, int]]:
    """Yield the parts that a string may be cut into, without parts that are ambiguous.

    The whole string is labelled "not a digit".
    """
    whole = Shape(0, 0, page).masked(page > 0)
    if whole is None or whole.ink.max() < DARK:
        return
    yield whole, not_a_digit
    for _, _, part in cut_parts(whole, whole.height, MOST_CUTS)[1]:
        mask = np.zeros(page.shape, bool)
        mask[part.y : part.y + part.height, part.x : part.x + part.width] = part.ink > INK
        overlaps = [_share(mask & own, mask | own) for own in digits]
        likest = int(np.argmax(overlaps))
        # A thin 1 that a part has beside its own digit is little ink, and yet one digit too much.
        rest = [own & ~digits[likest] for own in digits if own is not digits[likest]]
        most_of_others = max(_share(mask & other, other) for other in rest)
        if overlaps[likest] >= SAME and most_of_others <= LITTLE:
            yield part, int(labels[likest])
        elif overlaps[likest] <= OTHER or most_of_others > MUCH:
            yield part, not_a_digit


def _share(part: Mask, whole: Mask) -> float:
    return float(part.sum()) / max(int(whole.sum()), 1)


def touching(images: Pixels, rng: np.random.Generator) -> tuple[Pixels, list[Mask]]:
    """Write digits side by side so that each touches the one before it.

    Args:
        images: uint8, shape (n, 28, 28).
        rng: the source of chance.

    Returns:
        The ink, uint8, shape (height, width), and for each digit where its ink is: bool, same
        shape.
    """
    shapes = [written(image, rng) for image in images]
    tall = max(map(len, shapes)) + 8
    page = np.zeros((tall, sum(shape.shape[1] for shape in shapes) + 1), np.uint8)
    digits: list[Mask] = []
    right = 0
    for shape in shapes:
        top = min(max(0, (tall - len(shape)) // 2 + int(rng.integers(-4, 5))), tall - len(shape))
        rows = slice(top, top + len(shape))
        left = 0
        if digits:
            left = max(0, right - _gap(page[rows], shape, right) - int(rng.integers(0, 4)))
        place = rows, slice(left, left + shape.shape[1])
        page[place] = np.maximum(page[place], shape)
        own = np.zeros(page.shape, bool)
        own[place] = shape > INK
        digits.append(own)
        right = max(right, left + shape.shape[1])
    return page, digits


def written(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a digit's ink, cropped, at about the height of the string."""
    drawn = draw(image, rng) if rng.random() < 0.4 else cv2.resize(image, None, fx=2, fy=2)
    shape = cropped(with_other_stroke_width(drawn, rng) if rng.random() < 0.4 else drawn)
    scale = HEIGHT * rng.uniform(0.85, 1.1) / max(len(shape), shape.shape[1] / 1.6, 1)
    size = tuple(max(2, round(side * scale)) for side in shape.shape[::-1])
    ink: Pixels = cv2.resize(shape, size, interpolation=cv2.INTER_LINEAR)
    return ink


def _gap(page: Pixels, shape: Pixels, right: int) -> int:
    """Return how far a shape that stands at `right` can move left before ink meets ink."""
    ink, own = page[:, :right] > INK, shape > INK
    free = np.where(ink.any(axis=1), ink[:, ::-1].argmax(axis=1), right)
    inside = np.where(own.any(axis=1), own.argmax(axis=1), shape.shape[1])
    both = ink.any(axis=1) & own.any(axis=1)
    return int((free + inside)[both].min()) if both.any() else 0


def degraded_page(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the string as a camera or a small image would show it."""
    chance = rng.random()
    pixels = page
    if chance < 0.3:
        pixels = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.7, 1.8))
    elif chance < 0.5:
        scale = rng.uniform(0.35, 0.8)
        size = tuple(max(4, math.ceil(side * scale)) for side in page.shape[::-1])
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, page.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return pixels
