"""Local files and folders of many digits, read part by part as they are in a bulk job."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from worker.files import part_reading, plans, wrappings
from worker.files.datasets import Dataset, DatasetError
from worker.files.layouts import Layout, Wishes
from worker.files.part_reading import Item
from worker.files.plans import BulkError, Limits, Part
from worker.files.tables import Told
from worker.files.wrappings import Unwrapped
from worker.images.decoding import MAX_PIXELS

if TYPE_CHECKING:
    from worker.reading.engine import Engine

FOLDER = "folder"
MOST_LOADED = 10_000_000  # images, of one's own files


@dataclass(frozen=True)
class Source:
    """Many images: their kind, their number, whether they are labelled, and their layout.

    read: reads the images with an engine; yields the items of one part after the other, in order.
    """

    kind: str
    total: int
    labelled: bool
    layout: Layout
    read: Callable[["Engine"], Iterator[list[Item]]]


@contextmanager
def open_source(
    path: Path,
    labels: Path | None = None,
    limits: Limits | None = None,
    max_pixels: int = MAX_PIXELS,
    wishes: Wishes | None = None,
) -> Iterator[Source]:
    """Open a file of many digits as a bulk job does, or a folder of images.

    Raises:
        BulkError: the file is of another kind, is damaged, or exceeds a limit.
    """
    limits = limits or Limits()
    if path.is_dir():
        if labels is not None:
            raise BulkError("A file of labels belongs to an IDX file of images only.")
        yield _folder(path, max_pixels)
        return
    with ExitStack() as opened:
        inside = _opened(path, opened, limits, wishes)
        labels_file = _opened(labels, opened, limits).file if labels else inside.labels
        plan = plans.plan(inside, labels_file, limits, wishes)

        def read(engine: "Engine") -> Iterator[list[Item]]:
            for part in plan.parts:
                yield part_reading.read_part(
                    engine,
                    plan.kind,
                    part,
                    inside.file,
                    labels_file,
                    layout=plan.layout,
                    limits=limits,
                    max_pixels=max_pixels,
                )

        yield Source(plan.kind, plan.total, plan.labelled, plan.layout, read)


def load_arrays(path: Path, wishes: Wishes | None = None, on_layout: Told = bool) -> Dataset:
    """Load the labelled images of an NPZ, or of another file that becomes IDX with labels.

    Raises:
        DatasetError: it cannot be read, or has no labels.
    """
    limits = Limits(rows=MOST_LOADED, archive=wrappings.UNLIMITED)
    try:
        with ExitStack() as opened:
            inside = _opened(path, opened, limits, wishes)
            plan = plans.plan(inside, None, limits, wishes)
            on_layout(plan.layout)
            if plan.kind != plans.IDX or inside.labels is None:
                raise DatasetError(f"{path}: expected images with labels")
            rows = part_reading.idx_rows(
                inside.file, inside.labels, Part(1, plan.total), plan.layout
            )
            found = list(rows)
    except BulkError as error:
        raise DatasetError(f"{path}: {error}") from error
    pixels = b"".join(row.pixels or b"" for row in found)
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)
    return Dataset(images, np.array([row.label for row in found], np.uint8))


def _opened(
    path: Path, opened: ExitStack, limits: Limits, wishes: Wishes | None = None
) -> Unwrapped:
    try:
        file = opened.enter_context(path.open("rb"))
    except OSError as error:
        raise BulkError(f"{path} cannot be opened: {error.strerror}.") from error
    return plans.unwrapped(file, path.stat().st_size, limits, opened, wishes)


def _folder(folder: Path, max_pixels: int) -> Source:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise BulkError(f"{folder} holds no files.")

    def read(engine: "Engine") -> Iterator[list[Item]]:
        for start in range(0, len(files), plans.IMAGES_A_PART):
            some = enumerate(files[start : start + plans.IMAGES_A_PART], start + 1)
            named = ((number, str(path.relative_to(folder)), path) for number, path in some)
            contents = ((number, name, _content(path)) for number, name, path in named)
            yield part_reading.read_files(engine, contents, max_pixels)

    return Source(FOLDER, len(files), False, Layout(), read)


def _content(path: Path) -> bytes | Exception:
    try:
        return path.read_bytes()
    except OSError as error:
        return BulkError(f"The file cannot be opened: {error.strerror}.")
