"""Bulks: what a file holds, how it is divided, and the reading of its parts."""

import gzip
import io

import numpy as np
import pytest

from tests.bulks import idx, kaggle_csv, zip_of
from tests.pictures import mnist_png, on_paper, png
from worker.files import archives, plans, results
from worker.files.part_reading import read_part
from worker.files.plans import BulkError, Limits


def plan(data: bytes, labels: bytes | None = None, limits: Limits | None = None):
    labels_file = None if labels is None else io.BytesIO(labels)
    return plans.plan(io.BytesIO(data), labels_file, limits or Limits())


def read_all(engine, data: bytes, labels: bytes | None = None, backwards: bool = False):
    made = plan(data, labels)
    labels_file = None if labels is None else io.BytesIO(labels)
    items = []
    for part in made.parts[::-1] if backwards else made.parts:
        file = io.BytesIO(data)
        items += read_part(engine, made.kind, part, file, labels_file, layout=made.layout)
    return sorted(items, key=lambda item: item.number)


def test_parts_cover_each_row_once(mnist):
    made = plan(kaggle_csv(mnist, 600, labels=True))
    assert (made.kind, made.labelled, made.total) == ("csv", True, 600)
    assert [(part.first, part.rows) for part in made.parts] == [(1, 256), (257, 256), (513, 88)]
    made = plan(idx(mnist.images[:256]))
    assert (made.kind, made.labelled) == ("idx", False)
    assert [(part.first, part.rows) for part in made.parts] == [(1, 256)]


def test_csv_and_idx_have_the_same_readings_in_any_order_of_their_parts(engine, mnist):
    table = read_all(engine, kaggle_csv(mnist, 600, labels=True), backwards=True)
    pixels = read_all(engine, idx(mnist.images[:600]), idx(mnist.labels[:600]))
    assert [item.number for item in table] == list(range(1, 601))
    assert [item.reading for item in table] == [item.reading for item in pixels]
    assert [item.truth for item in pixels] == [str(label) for label in mnist.labels[:600]]
    assert sum(item.reading == item.truth for item in table) >= 596
    assert all(len(item.probabilities) == 10 for item in table)


def test_blank_lines_that_the_plan_took_are_no_error_of_a_part(engine, mnist):
    *most, last = kaggle_csv(mnist, 300).splitlines(keepends=True)
    items = read_all(engine, b"".join([*most, b"\n" * 10_200, last]))
    assert len(items) == 300
    assert not any(item.error for item in items)


def test_images_of_a_zip_are_read_the_whole_way(engine, mnist):
    files = {"b/seven.png": mnist_png(mnist, 0), "photo.png": png(on_paper(mnist.images[1]))}
    files |= {"text.png": b"words", "blank.png": png(on_paper(mnist.images[1], ink=230))}
    seven, photo, text, blank = read_all(engine, zip_of(files))
    assert (seven.number, seven.name, seven.reading) == (1, "b/seven.png", "7")
    assert photo.reading == "2"
    assert text.error.startswith("The file is not an image")
    assert (blank.reading, blank.confidence, blank.error) == ("", None, "")


def test_a_bad_row_is_reported_with_its_reason_and_the_rest_goes_on(engine, mnist):
    lines = kaggle_csv(mnist, 300).splitlines(keepends=True)
    lines[280] = lines[280].replace(b",", b",x", 1)
    items = read_all(engine, b"".join(lines))
    (bad,) = (item for item in items if item.error)
    assert bad.number == 280
    assert bad.error == 'Expected whole numbers from 0 to 255, received "x0" in column 2.'
    assert len(items) == 300
    labels = np.array([7, 12, 1], np.uint8)
    assert read_all(engine, idx(mnist.images[:3]), idx(labels))[1].error.endswith("received 12.")


def test_large_images_are_divided_into_smaller_parts():
    files = {f"{n}.bmp": np.random.default_rng(n).bytes(1_500_000) for n in range(5)}
    assert [part.rows for part in plan(zip_of(files)).parts] == [2, 2, 1]


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (b"words", None, "cannot be read as CSV: expected 784 pixels.* received 1 value"),
        (b"", None, "cannot be read as CSV"),
        (idx(np.zeros((2, 8, 8))), None, "expected images of 28x28 pixels, received 8x8"),
        (idx(np.zeros((2, 28, 28)))[:-1], None, "expected 1,568 bytes .* received 1,567"),
        (idx(np.zeros((0, 28, 28))), None, "holds no images"),
        (idx(np.zeros((2, 28, 28))), idx(np.zeros(3)), "for each of 2 images, received 3"),
        (idx(np.zeros((2, 28, 28))), b"words", "a second file of labels in IDX"),
        (idx(np.zeros(3)), None, "came without its IDX file of images"),
        (zip_of({"a.png": b"x"}), idx(np.zeros(1)), "belongs to an IDX file"),
        (b"\x00\x00\x08\x03", None, "expected a whole header"),
    ],
)
def test_it_refuses_files_that_are_not_bulks(data, labels, message):
    with pytest.raises(BulkError, match=message):
        plan(data, labels)


def test_a_header_alone_holds_no_rows(mnist):
    with pytest.raises(BulkError, match="holds no rows"):
        plan(kaggle_csv(mnist, 0))


def test_rows_have_a_limit(mnist):
    for data in (kaggle_csv(mnist, 4), idx(mnist.images[:4])):
        with pytest.raises(BulkError, match="too many rows: 3 are the limit"):
            plan(data, limits=Limits(rows=3))


def test_a_gzipped_file_is_unpacked_up_to_a_limit(mnist):
    data = kaggle_csv(mnist, 3)
    packed = gzip.compress(data)
    limits = Limits(archive=archives.Limits(total_bytes=len(data)))
    with plans.unpacked(io.BytesIO(packed), len(packed), limits) as file:
        assert file.read() == data
    bomb = gzip.compress(bytes(10_000_000))
    limits = Limits(archive=archives.Limits(ratio=107, ratio_from=0))
    with pytest.raises(BulkError, match=r"too large unpacked: 1\.0 MB"):
        plans.unpacked(io.BytesIO(bomb), len(bomb), limits)
    with pytest.raises(BulkError, match="cut off or damaged"):
        plans.unpacked(io.BytesIO(packed[:-9]), len(packed) - 9, Limits())


def test_kaggles_results_have_a_digit_for_each_row(engine, mnist):
    pixels = mnist.images[:3].copy()
    pixels[1] = 0  # nothing at all: "not a digit", but each row of a submission has a label
    lines = "".join(results.kaggle(read_all(engine, idx(pixels)), "idx")).splitlines()
    assert lines[0] == "ImageId,Label"
    assert lines[1] == "1,7"
    assert lines[2].split(",")[1].isdigit()
    assert lines[3] == "3,1"


def test_detailed_results_have_all_fields(engine, mnist):
    items = read_all(engine, zip_of({"a, b.png": mnist_png(mnist, 0), "c.png": b"words"}))
    header, seven, bad = "".join(results.detailed(items)).splitlines()
    assert header.startswith("number,name,reading,confidence,p0,")
    assert seven.startswith('1,"a, b.png",7,0.9')
    assert bad.startswith("2,c.png,,,,")
    assert "".join(results.kaggle(items, "zip")).splitlines()[1:] == ['"a, b.png",7', "c.png,"]


def test_a_file_name_is_no_formula_in_results(engine, mnist):
    items = read_all(engine, zip_of({"=1+1.png": mnist_png(mnist, 0), "-2": b"words"}))
    assert "".join(results.kaggle(items, "zip")).splitlines()[1:] == ["'=1+1.png,7", "'-2,"]
    assert [line.split(",")[1] for line in "".join(results.detailed(items)).splitlines()[1:]] == [
        "'=1+1.png",
        "'-2",
    ]
