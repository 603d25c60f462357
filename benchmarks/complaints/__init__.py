"""Generated pages of the kinds that people complained about.

Each kind is drawn with random digits (MNIST's test set), sizes, pens and grounds. Seed 1 was looked
at while the finding of digits was developed; other seeds tell how well it does on pages that nobody
looked at.
"""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.complaints.between import between
from benchmarks.complaints.binary import binary
from benchmarks.complaints.colours import colours
from benchmarks.complaints.desk import desk
from benchmarks.complaints.levels import levels
from benchmarks.complaints.outlined import outlined
from benchmarks.complaints.ruled import ruled
from benchmarks.complaints.sheet import Rng, Scene
from benchmarks.complaints.sparse import sparse
from benchmarks.complaints.strokes import lone, strokes
from benchmarks.complaints.turned import turned
from benchmarks.complaints.whole import cut, plain
from worker.files.datasets import Dataset, load_mnist
from worker.reading.engine import Engine
from worker.reading.reading import Reading, read_images

KINDS: dict[str, Callable[[Dataset, Rng], Scene]] = {
    "ruled": ruled,
    "outlined": outlined,
    "desk": desk,
    "turned": turned,
    "levels": levels,
    "colours": colours,
    "sparse": sparse,
    "strokes": strokes,
    "lone": lone,
    "binary": binary,
    "cut": cut,
    "plain": plain,
    "between": between,
}


def scenes_of(kind: str, count: int, seed: int) -> list[Scene]:
    """Return so many pages of a kind; the same seed gives the same pages."""
    digits, rng = load_mnist("test"), np.random.default_rng([seed, list(KINDS).index(kind)])
    return [KINDS[kind](digits, rng) for _ in range(count)]


def text_of(engine: Engine, scene: Scene) -> str:
    """Return what is read on a scene."""
    return reading_of(engine, scene).text


def reading_of(engine: Engine, scene: Scene) -> Reading:
    """Return the reading of a scene."""
    return read_images(engine, [scene.file or _png(scene.image)])[0]


def plain_text_of(engine: Engine, scene: Scene) -> str | None:
    """Return what is read on a scene without what makes it hard; None where there is no such."""
    if not scene.plain:
        return None
    readings = read_images(engine, [_png(image) for image in scene.plain])
    return " ".join(reading.text for reading in readings)


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()
