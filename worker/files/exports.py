"""Digits written to files that other programs read."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from worker.files.datasets import Dataset, DatasetError, write_idx
from worker.files.layouts import Wishes
from worker.files.tables import Told, open_table, rows, write_csv

LABELS_CSV = "labels.csv"
PROGRESS_EVERY = 256


def export_images(
    table: Path,
    folder: Path,
    on_rows: Callable[[int], None] = lambda count: None,
    wishes: Wishes | None = None,
    on_layout: Told = bool,
) -> int:
    """Write each row of a CSV of digits as a PNG of 28x28 pixels, named by its index from 0.

    The labels, where the CSV has them, are written to labels.csv: `image,label`.

    Args:
        table: a CSV as worker.files.tables reads them, gzipped or not.
        folder: where the images go; it is created if it does not exist.
        on_rows: called with how many rows were written since its last call.
        wishes: what is known about the table's layout.
        on_layout: called with the layout when it is decided.

    Returns:
        The number of images.

    Raises:
        DatasetError: the CSV cannot be read; with the number of the row that is wrong, from 1.
    """
    labels: list[int | None] = []
    count = 0
    with open_table(table, wishes) as (file, layout):
        on_layout(layout)
        folder.mkdir(parents=True, exist_ok=True)
        for count, row in enumerate(rows(file, layout), 1):
            if row.error:
                raise DatasetError(f"row {row.number}: {row.error}")
            pixels = np.frombuffer(row.pixels or b"", np.uint8).reshape(28, 28)
            Image.fromarray(pixels).save(folder / f"{count - 1}.png")
            labels.append(row.label)
            if count % PROGRESS_EVERY == 0:
                on_rows(PROGRESS_EVERY)
    on_rows(count % PROGRESS_EVERY)
    if layout.has_labels:
        _write_labels(folder / LABELS_CSV, labels)
    return count


def export_dataset(dataset: Dataset, folder: Path, name: str) -> None:
    """Write labelled digits as a pair of gzipped IDX files, as MNIST has them, and as one CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{name}-images-idx3-ubyte.gz", dataset.images)
    write_idx(folder / f"{name}-labels-idx1-ubyte.gz", dataset.labels)
    with open(folder / f"{name}.csv", "wb") as file:
        write_csv(file, dataset.images, dataset.labels)


def _write_labels(path: Path, labels: list[int | None]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "label"])
        writer.writerows((f"{index}.png", label) for index, label in enumerate(labels))
