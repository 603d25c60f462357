"""The readers of labelled digits."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from worker.files.datasets import MNIST_DIR, DatasetError, load_idx, load_mnist, read_idx_images
from worker.files.datasets import read_idx_labels as read_labels
from worker.files.exports import export_images
from worker.files.tables import load_csv

MD5_OF_ORIGINALS = {
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}


def idx(path, magic: int, shape: tuple[int, ...], body: bytes):
    path.write_bytes(struct.pack(f">{1 + len(shape)}I", magic, *shape) + body)
    return path


@pytest.mark.parametrize(("split", "count"), [("train", 60000), ("test", 10000)])
def test_it_reads_the_real_mnist(split, count):
    dataset = load_mnist(split)
    assert dataset.images.shape == (count, 28, 28)
    assert dataset.images.dtype == np.uint8
    assert set(dataset.labels) == set(range(10))


def test_the_files_are_the_originals():
    for name, expected in MD5_OF_ORIGINALS.items():
        data = gzip.decompress((MNIST_DIR / name).read_bytes())
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() == expected


def test_the_checksums_beside_the_files_hold():
    for line in (MNIST_DIR / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split()
        assert hashlib.sha256((MNIST_DIR / name).read_bytes()).hexdigest() == expected


def test_it_reads_plain_files_as_it_reads_gzipped_ones(tmp_path):
    path = idx(tmp_path / "images", 2051, (2, 1, 3), bytes(range(6)))
    assert read_idx_images(path).tolist() == [[[0, 1, 2]], [[3, 4, 5]]]


def test_it_refuses_an_unknown_split():
    with pytest.raises(DatasetError, match='"train" or "test", received "dev"'):
        load_mnist("dev")


def test_it_names_the_magic_number_it_expected(tmp_path):
    labels = idx(tmp_path / "labels", 2049, (1,), b"\x07")
    with pytest.raises(DatasetError, match="expected a header of 16 bytes, received 9"):
        read_idx_images(labels)
    images = idx(tmp_path / "images", 2051, (1, 2, 2), bytes(4))
    with pytest.raises(DatasetError, match="expected the magic number 2049, received 2051"):
        read_labels(images)


@pytest.mark.parametrize("length", [3, 5])
def test_it_names_the_number_of_bytes_it_expected(tmp_path, length):
    path = idx(tmp_path / "images", 2051, (1, 2, 2), bytes(length))
    with pytest.raises(DatasetError, match=f"expected 4 bytes after the header.*received {length}"):
        read_idx_images(path)


def test_it_refuses_a_label_that_is_not_a_digit(tmp_path):
    path = idx(tmp_path / "labels", 2049, (3,), bytes([1, 10, 2]))
    with pytest.raises(DatasetError, match="received 10 at row 1"):
        read_labels(path)


def test_it_refuses_counts_that_differ(tmp_path):
    images = idx(tmp_path / "images", 2051, (2, 1, 1), bytes(2))
    labels = idx(tmp_path / "labels", 2049, (1,), bytes(1))
    with pytest.raises(DatasetError, match=r"received 2 images .* and 1 labels"):
        load_idx(images, labels)


def test_it_reports_that_a_file_is_missing_or_cut_off(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        read_idx_images(tmp_path / "nothing")
    cut = tmp_path / "cut.gz"
    cut.write_bytes((MNIST_DIR / "t10k-labels-idx1-ubyte.gz").read_bytes()[:2000])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_labels(cut)


def test_it_reports_that_what_is_compressed_is_damaged(tmp_path):
    data = bytearray((MNIST_DIR / "t10k-labels-idx1-ubyte.gz").read_bytes())
    data[100:200] = bytes(100)
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(data)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_labels(damaged)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_csv(damaged)
    with pytest.raises(DatasetError, match=r"damaged\.gz"):
        export_images(damaged, tmp_path / "images")
