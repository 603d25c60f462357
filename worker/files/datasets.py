"""Readers of labelled digits that check what they read."""

import gzip
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worker.arrays import Labels, Pixels

MNIST_DIR = Path(__file__).parents[1] / "data" / "mnist"
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049
UNREADABLE = (OSError, EOFError, zlib.error)  # what a file raises, gzipped or not


class DatasetError(ValueError):
    """A data file is not of the expected form; the message names what was expected and received."""


@dataclass(frozen=True)
class Dataset:
    """Images with their true labels.

    images: uint8, shape (n, 28, 28); 0 is paper, 255 is full ink.
    labels: uint8, shape (n,); 0 to 9.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


def load_mnist(split: str = "train", directory: Path | None = None) -> Dataset:
    """Load MNIST's training ("train", 60,000) or test ("test", 10,000) images.

    directory: the folder with the four files; by default the one that the environment variable
        MNIST_DIR names, else the files that ship.

    Raises:
        DatasetError: a file is missing or does not match its header.
    """
    prefix = {"train": "train", "test": "t10k"}.get(split)
    if prefix is None:
        raise DatasetError(f'expected the split "train" or "test", received "{split}"')
    directory = directory or Path(os.environ.get("MNIST_DIR") or MNIST_DIR)
    return load_idx(
        directory / f"{prefix}-images-idx3-ubyte.gz", directory / f"{prefix}-labels-idx1-ubyte.gz"
    )


def load_idx(images_path: Path, labels_path: Path) -> Dataset:
    """Load a pair of IDX files, gzipped or not, that must hold as many labels as images."""
    images, labels = read_idx_images(images_path), read_idx_labels(labels_path)
    if len(images) != len(labels):
        raise DatasetError(
            f"expected as many labels as images, received {len(images)} images in {images_path}"
            f" and {len(labels)} labels in {labels_path}"
        )
    return Dataset(images, labels)


def read_idx_images(path: Path) -> Pixels:
    """Read an IDX file of images: uint8, shape (n, rows, columns).

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
    """
    data = _read(path)
    count, rows, columns = _header(path, data, IMAGES_MAGIC, sizes=3)
    return _body(path, data, 16, (count, rows, columns))


def read_idx_labels(path: Path) -> Labels:
    """Read an IDX file of labels: uint8, shape (n,), each 0 to 9."""
    data = _read(path)
    (count,) = _header(path, data, LABELS_MAGIC, sizes=1)
    labels = _body(path, data, 8, (count,))
    if labels.size and labels.max() > 9:
        row = int(np.argmax(labels > 9))
        raise DatasetError(f"{path}: expected labels 0 to 9, received {labels[row]} at row {row}")
    return labels


def _read(path: Path) -> bytes:
    try:
        data = Path(path).read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except UNREADABLE as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error


def _header(path: Path, data: bytes, magic: int, sizes: int) -> tuple[int, ...]:
    length = 4 + 4 * sizes
    if len(data) < length:
        raise DatasetError(
            f"{path}: expected a header of {length} bytes, received {len(data)} bytes"
        )
    received, *shape = struct.unpack(f">{1 + sizes}I", data[:length])
    if received != magic:
        raise DatasetError(f"{path}: expected the magic number {magic}, received {received}")
    return tuple(shape)


def _body(path: Path, data: bytes, offset: int, shape: tuple[int, ...]) -> Pixels:
    expected, received = int(np.prod(shape, dtype=np.int64)), len(data) - offset
    if received != expected:
        wanted = "x".join(map(str, shape))
        raise DatasetError(
            f"{path}: expected {expected} bytes after the header ({wanted}), received {received}"
        )
    return np.frombuffer(data, np.uint8, offset=offset).reshape(shape)


def write_idx(path: Path, values: Pixels | Labels) -> None:
    """Write images, shape (n, rows, columns), or labels, shape (n,), as a gzipped IDX file."""
    magic = {1: LABELS_MAGIC, 3: IMAGES_MAGIC}[values.ndim]
    header = struct.pack(f">{1 + values.ndim}I", magic, *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0))
