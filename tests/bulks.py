"""Bulk files for tests, made from MNIST."""

import io
import struct
import zipfile
from collections.abc import Iterable, Sequence

import numpy as np

from worker.files.tables import write_csv


def kaggle_csv(dataset, count: int, *, labels: bool = False) -> bytes:
    """The first images as Kaggle's test.csv has them, or with labels as its train.csv."""
    file = io.BytesIO()
    write_csv(file, dataset.images[:count], dataset.labels[:count] if labels else None)
    return file.getvalue()


def csv_of(
    images: np.ndarray,
    labels: Sequence[object] | np.ndarray | None = None,
    *,
    label: str = "first",
    index: bool = False,
    names: Iterable[object] | None = (),
    label_name: str = "label",
    delimiter: str = ",",
    ending: str = "\n",
) -> bytes:
    """A CSV of images as other programs write it.

    Args:
        images: of any values, shape (n, 28, 28).
        labels: of each image; None leaves the column out.
        label: whether the label comes "first" or "last".
        index: whether an unnamed index comes before all, as pandas writes it.
        names: of the pixels; none stand for pixel0 to pixel783; None leaves the header out.
        label_name: of the column of labels.
        delimiter: what is between the values.
        ending: what is after each line.
    """
    head = None if names is None else [*map(str, names)] or [f"pixel{n}" for n in range(784)]
    lines = [] if head is None else [_line(head, label_name, label, labels is not None)]
    for place, image in enumerate(images):
        values = [f"{value:g}" for value in np.asarray(image).reshape(-1).tolist()]
        own = "" if labels is None else labels[place]
        lines.append(_line(values, own, label, labels is not None))
    if index:
        first = [] if head is None else [""]
        numbers = [*first, *range(len(images))]
        lines = [[number, *line] for number, line in zip(numbers, lines, strict=True)]
    return "".join(delimiter.join(map(str, line)) + ending for line in lines).encode()


def _line(values: list[str], own: object, label: str, labelled: bool) -> list[object]:
    if not labelled:
        return [*values]
    return [own, *values] if label == "first" else [*values, own]


def npy_of(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npz_of(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def idx(values: np.ndarray) -> bytes:
    magic = 0x0800 + values.ndim
    header = struct.pack(f">{1 + values.ndim}I", magic, *values.shape)
    return header + np.asarray(values, np.uint8).tobytes()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()
