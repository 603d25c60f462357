"""Grey levels of more than eight bits -> 0 to 255, by the range that an image uses."""

import numpy as np
from PIL import Image

from worker.arrays import Floats

TILE = 1024  # pixels: the side of what is scaled at a time, as all of it would take gigabytes
# The white of grey levels, of scanners, cameras, microscopes and programs. Levels count up to the
# least of these that is not exceeded; others are scaled by the range that they have.
WHITES = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)
DIMMEST = 32.0  # levels up to this are no eight bits: scikit-learn's digits have 16
ROUNDING = 1.001  # the most of levels from 0 to 1, or -1 to 1, that were computed
# The share of pixels that may lie outside the range, as hot pixels of a camera do. A digit of 4 mm
# on a scan of A4 has five times as many.
OUTLIERS = 1 / 50_000
FEWEST = 1000  # pixels; in a smaller image, none lies outside


def eight_bits(image: Image.Image) -> Image.Image:
    """Bring an image of 16-bit, 32-bit or decimal grey levels, which Pillow would clip, to 8 bits.

    What is not a number counts as the darkest level. A blank image stays blank as far as its noise
    is not taken for ink: see worker.images.finding.extract_ink.
    """
    if image.mode[0] not in "IF":
        return image
    parts = [
        (left, top, min(left + TILE, image.width), min(top + TILE, image.height))
        for top in range(0, image.height, TILE)
        for left in range(0, image.width, TILE)
    ]
    count = image.width * image.height
    rank = 2 + int(count * OUTLIERS) if count >= FEWEST else 1
    ends = [_ends(_levels(image, part), rank) for part in parts]
    low, high = _scale(
        _ranked(np.concatenate([least for least, _ in ends]), rank),
        -_ranked(np.concatenate([-greatest for _, greatest in ends]), rank),
    )
    grey = Image.new("L", image.size)
    for part in parts:
        levels = np.clip(np.nan_to_num(_levels(image, part), nan=low), low, high)
        scaled = ((levels - low) * (255 / (high - low))).astype(np.uint8)
        grey.paste(Image.fromarray(scaled), part[:2])
    return grey


def _scale(low: float, high: float) -> tuple[float, float]:
    """Return the levels of black and of white for an image with levels from low to high."""
    if low >= 0:
        if high <= ROUNDING:
            return 0.0, 1.0
        if DIMMEST < high <= WHITES[-1]:
            return 0.0, next(white for white in WHITES if high <= white)
    elif low >= -ROUNDING and high <= ROUNDING:
        return -1.0, 1.0
    return (low, high) if high > low else (low, low + 1)


def _levels(image: Image.Image, part: tuple[int, int, int, int]) -> Floats:
    return np.asarray(image.crop(part), np.float32)


def _ends(levels: Floats, rank: int) -> tuple[Floats, Floats]:
    """Return so many of the least and of the greatest of the levels that are finite."""
    finite = levels[np.isfinite(levels)]
    rank = min(rank, finite.size)
    if not rank:
        return finite, finite
    if rank == 1:
        return finite.min(keepdims=True), finite.max(keepdims=True)
    inner = np.partition(finite, (rank - 1, finite.size - rank))
    return inner[:rank].copy(), inner[finite.size - rank :].copy()


def _ranked(values: Floats, rank: int) -> float:
    """Return the value of this rank from below, 0 where there is none."""
    if not values.size:
        return 0.0
    return float(np.sort(values)[min(rank, values.size) - 1])
