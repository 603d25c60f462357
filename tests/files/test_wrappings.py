"""What stands around rows of pixels: packed files, NumPy's files, IDX of other types."""

import gzip
import io
import pickle
import struct
import tarfile
from contextlib import ExitStack

import numpy as np
import pytest

from tests.bulks import csv_of, idx, kaggle_csv, npy_of, npz_of, zip_of
from tests.pictures import mnist_png
from worker.files import archives, plans
from worker.files.layouts import Wishes
from worker.files.part_reading import Item, read_part
from worker.files.plans import BulkError, Limits
from worker.files.tables import load_csv

COUNT = 20


def read(engine, data: bytes, wishes: Wishes | None = None, limits: Limits | None = None):
    """Read a file as a bulk job does; return its items and what was assumed."""
    limits = limits or Limits()
    with ExitStack() as opened:
        inside = plans.unwrapped(io.BytesIO(data), len(data), limits, opened, wishes)
        plan = plans.plan(inside, None, limits, wishes)
        items: list[Item] = []
        for part in plan.parts:
            items += read_part(
                engine, plan.kind, part, inside.file, inside.labels, layout=plan.layout
            )
    assert not any(item.error for item in items if plan.kind != plans.ZIP)
    return items, " ".join(plan.layout.assumptions)


def readings(items: list[Item]) -> list[str]:
    return [str(np.argmax(item.probabilities)) for item in items]


@pytest.fixture(scope="module")
def plain(engine, mnist):
    """What the rows are read as, when they come in a plain IDX file."""
    return readings(read(engine, idx(mnist.images[:COUNT]))[0])


def typed(values: np.ndarray, code: int, order: str = ">") -> bytes:
    magic = struct.pack(f"{order}I", 0x0100 * code + values.ndim)
    return magic + struct.pack(f"{order}{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype", "high"),
    [
        *((0x0B, "i2", 255), (0x0C, "i4", 255), (0x0D, "f4", 255), (0x0E, "f8", 255)),
        *((0x0D, "f4", 1), (0x0E, "f8", 1), (0x0C, "i4", 65535)),
    ],
)
@pytest.mark.parametrize("order", [">", "<"])
def test_idx_files_of_all_types_are_read(engine, mnist, plain, code, dtype, high, order):
    values = (mnist.images[:COUNT] / 255 * high).astype(order + dtype)
    items, said = read(engine, typed(values, code, order))
    assert readings(items) == plain
    assert ("scale" in said) == (high != 255)


def test_little_endian_idx_and_idx_of_other_dimensions_are_read(engine, mnist, plain):
    images = mnist.images[:COUNT]
    for values in (images, images.reshape(COUNT, 784), images.reshape(COUNT, 28, 28, 1)):
        for order in "<>":
            assert readings(read(engine, typed(values, 0x08, order))[0]) == plain


@pytest.mark.parametrize(
    "values",
    [
        lambda images: images,
        lambda images: images.reshape(-1, 784),
        lambda images: images.reshape(-1, 784).astype(float),
        lambda images: np.asfortranarray(images / 255, np.float32),
        lambda images: images[..., None] > 127,
        lambda images: images[:, None].astype(">i4"),
    ],
)
def test_npy_files_are_read(engine, mnist, plain, values):
    items, _ = read(engine, npy_of(values(mnist.images[:COUNT])))
    assert readings(items) == plain


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "labels",
    [
        lambda labels: labels,
        lambda labels: labels.astype("U1"),
        lambda labels: labels.astype(float)[:, None],
        lambda labels: np.eye(10)[labels],
    ],
)
def test_npz_files_are_read_with_their_labels(engine, mnist, plain, labels, compressed):
    arrays = {"data": mnist.images[:COUNT], "target": labels(mnist.labels[:COUNT])}
    items, said = read(engine, npz_of(**arrays, compressed=compressed))
    assert readings(items) == plain
    assert [item.truth for item in items] == [str(label) for label in mnist.labels[:COUNT]]
    assert "The labels are “target”." in said


def test_the_two_sets_of_keras_are_read_one_after_the_other_which_is_said(engine, mnist, plain):
    images, labels = mnist.images[:COUNT], mnist.labels[:COUNT]
    arrays = {"x_test": images[12:], "x_train": images[:12], "y_train": labels[:12]}
    items, said = read(engine, npz_of(**arrays, y_test=labels[12:]))
    assert readings(items) == plain[12:] + plain[:12]
    assert "“x_test” (8) and “x_train” (12) are read one after the other" in said
    assert [item.truth for item in items] == [str(one) for one in [*labels[12:], *labels[:12]]]


def test_a_zip_with_one_table_is_that_table(engine, mnist, plain):
    table = kaggle_csv(mnist, COUNT)
    for files in (
        {"test.csv": table},
        {"a/test.csv": table, "README.txt": b"words", "__MACOSX/a/._test.csv": b"x"},
        {"test.csv.gz": gzip.compress(table)},
        {"x.npy": npy_of(mnist.images[:COUNT])},
        {"t10k-images.idx3-ubyte": idx(mnist.images[:COUNT])},
    ):
        assert readings(read(engine, zip_of(files))[0]) == plain
    pair = {"labels.idx1-ubyte.gz": gzip.compress(idx(mnist.labels[:COUNT]))}
    pair["images.idx3-ubyte.gz"] = gzip.compress(idx(mnist.images[:COUNT]))
    items, _ = read(engine, zip_of(pair))
    assert [item.truth for item in items] == [str(label) for label in mnist.labels[:COUNT]]


def test_what_is_gzipped_twice_or_more_often_is_read_up_to_a_limit(engine, mnist, plain):
    data = idx(mnist.images[:COUNT])
    for _ in range(4):
        data = gzip.compress(data)
        assert readings(read(engine, data)[0]) == plain
    with pytest.raises(BulkError, match="packed more than 4 times"):
        read(engine, gzip.compress(data))


def with_nan(images: np.ndarray) -> np.ndarray:
    values = images.astype(">f8")
    values[0, 0, 0] = np.nan
    return values


def _tar(mnist) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("images.idx"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda mnist: b"%PDF-1.7\n%\xe2\xe3", "PDF is not read yet: save its pages as images"),
        (_tar, "A tar archive is not read: send its files as a ZIP"),
        (lambda mnist: pickle.dumps(mnist.images[:2], 4), "A pickle is not read"),
        (lambda mnist: npy_of(np.array([{}], object)), "Python objects are not read"),
        (lambda mnist: npy_of(np.zeros((2, 8, 8))), "28x28 pixels in grey, received 2x8x8"),
        (lambda mnist: npy_of(np.zeros((2, 28, 28, 3))), "in grey, received 2x28x28x3"),
        (lambda mnist: npy_of(np.zeros((2, 28, 28)))[:-1], "12,544 bytes .* received 12,543"),
        (lambda mnist: npy_of(mnist.labels[:3]), "labels came without its IDX file of images"),
        (lambda mnist: npz_of(a=np.zeros(3)), "The NPZ holds no images of 28x28 pixels: “a” 3"),
        (
            lambda mnist: npz_of(a=mnist.images[:3], b=mnist.labels[:3], c=mnist.labels[:3]),
            "several arrays that may be labels: “b” and “c”",
        ),
        (lambda mnist: npz_of(a=mnist.images[:3], b=np.arange(9, 12)), "from 0 to 9, received 10"),
        (lambda mnist: typed(np.zeros((2, 28, 28, 3), "u1"), 8), "received 2x28x28x3"),
        (lambda mnist: struct.pack(">4I", 0x0E03, *[2**32 - 1] * 3), "is cut off or damaged"),
        (lambda mnist: struct.pack(">2I", 0x0D03, 2), "cut off in its header"),
        (
            lambda mnist: typed(with_nan(mnist.images[:2]), 0x0E),
            "received nan in row 1",
        ),
        (
            lambda mnist: zip_of(dict.fromkeys(("train.csv", "test.csv"), b"1")),
            "holds 2 tables .“train.csv”, “test.csv”.: send one of them",
        ),
        (lambda mnist: b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5 is not read"),
        (lambda mnist: zip_of({"[Content_Types].xml": b"x"}), "save the table as CSV"),
        (lambda mnist: b"PAR1" + bytes(99), "Parquet is not read"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_by_its_name(engine, mnist, made, message):
    with pytest.raises(BulkError, match=message):
        read(engine, made(mnist))


def test_a_pickle_in_numpys_clothes_is_never_run(engine, tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "trapped"), "w")

    file = io.BytesIO()
    np.save(file, np.array([Trap()], object), allow_pickle=True)
    for data in (file.getvalue(), zip_of({"a.npy": file.getvalue()}), pickle.dumps(Trap())):
        with pytest.raises(BulkError):
            read(engine, data)
    assert not (tmp_path / "trapped").exists()


def test_what_is_unpacked_has_limits(engine):
    limits = Limits(archive=archives.Limits(total_bytes=1_000_000))
    blank = npy_of(np.zeros((2000, 28, 28), np.uint8))
    for bomb in (zip_of({"a.npy": blank}), zip_of({"a.csv": bytes(2_000_000)})):
        with pytest.raises(BulkError, match="too large"):
            read(engine, bomb, limits=limits)
    nested = gzip.compress(gzip.compress(bytes(2_000_000)))
    with pytest.raises(BulkError, match="too large unpacked"):
        read(engine, nested, limits=limits)
    ratio = Limits(archive=archives.Limits(ratio=50, ratio_from=0))
    with pytest.raises(BulkError, match="looks like a bomb"):
        read(engine, zip_of({"a.csv": bytes(2_000_000)}), limits=ratio)


def test_what_the_sender_says_of_an_arrays_values_is_done(engine, mnist, plain):
    values = (mnist.images[:COUNT] / 255 - 0.1307) / 0.3081
    with pytest.raises(BulkError, match="say with the option scale") as asked:
        read(engine, npy_of(values))
    assert asked.value.option == "scale"
    items, said = read(engine, npy_of(values), Wishes(scale="-0.4243..2.8215"))
    assert (readings(items), said) == (plain, "")
    inverted = Wishes(invert=True)
    assert readings(read(engine, npy_of(255 - mnist.images[:COUNT]), inverted)[0]) == plain


def test_folders_named_by_digits_are_labels_which_is_said(engine, mnist):
    files = {f"testing/{mnist.labels[n]}/{n}.png": mnist_png(mnist, n) for n in range(10)}
    items, said = read(engine, zip_of(files))
    assert [item.truth for item in items] == [str(label) for label in mnist.labels[:10]]
    assert said == "The names of the folders, 0 to 9, are taken for labels."
    assert {item.truth for item in read(engine, zip_of(files), Wishes("none"))[0]} == {""}
    scans = {f"7/{n}.png": mnist_png(mnist, n) for n in range(3)}
    assert read(engine, zip_of(scans))[1] == ""


def test_a_foreign_file_beside_scans_is_one_bad_row(engine, mnist):
    files = {"scan 1.png": mnist_png(mnist, 0), "marks.xlsx": zip_of({"xl/a.xml": b"x"})}
    one, bad = read(engine, zip_of(files))[0]
    assert one.reading == "7"
    assert (bad.name, bad.reading) == ("marks.xlsx", "")
    assert bad.error.startswith("The file is not an image")


def test_local_tables_are_unpacked_and_recoded_too(mnist, tmp_path):
    path = tmp_path / "digits"
    table = csv_of(mnist.images[:5] / 255, mnist.labels[:5], label="last", delimiter=";")
    for data in (
        table,
        gzip.compress(table),
        zip_of({"a.csv": table}),
        table.decode().encode("utf-16"),
    ):
        path.write_bytes(data)
        told = []
        dataset = load_csv(path, on_layout=told.append)
        assert np.array_equal(dataset.images, mnist.images[:5])
        assert np.array_equal(dataset.labels, mnist.labels[:5])
        assert "scale 1" in " ".join(told[0].assumptions)
