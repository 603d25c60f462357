"""Bulk files for tests, made from MNIST."""

import io
import struct
import zipfile

import numpy as np

from worker.files.tables import write_csv


def kaggle_csv(dataset, count: int, *, labels: bool = False) -> bytes:
    """The first images as Kaggle's test.csv has them, or with labels as its train.csv."""
    file = io.BytesIO()
    write_csv(file, dataset.images[:count], dataset.labels[:count] if labels else None)
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
