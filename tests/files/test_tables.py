"""CSV files of digits, read line by line."""

import csv
import gzip
import io

import numpy as np
import pytest

from tests.bulks import kaggle_csv
from worker.files import tables
from worker.files.datasets import DatasetError
from worker.files.layouts import Layout, before
from worker.files.tables import Parser, load_csv, read_layout


def parse(line: bytes, has_labels: bool) -> tuple[int | None, bytes]:
    return Parser(before(has_labels)).parse(line)


def layout_of(data: bytes) -> Layout:
    return read_layout(io.BytesIO(data))


def test_it_writes_what_another_reader_reads(mnist):
    rows = list(csv.reader(io.StringIO(kaggle_csv(mnist, 3, labels=True).decode())))
    assert rows[0][:2] == ["label", "pixel0"]
    assert rows[0][-1] == "pixel783"
    assert [row[0] for row in rows[1:]] == ["7", "2", "1"]
    assert [int(cell) for cell in rows[2][1:]] == mnist.images[1].reshape(-1).tolist()


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_it_understands_both_of_kaggles_files_with_and_without_header(mnist, labels, header, mark):
    data = kaggle_csv(mnist, 2, labels=labels)
    data = mark + (data if header else data.split(b"\n", 1)[1])
    layout = layout_of(data)
    assert layout.has_labels is labels
    first, second = tables.rows(io.BytesIO(data), layout)
    assert (first.label, second.label) == ((7, 2) if labels else (None, None))
    assert second.pixels == mnist.images[1].tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "received 1 value in the first line"),
        (b"a,b,c\n1,2,3\n", "received 3 values in the first line"),
        (b"0" * 70_000, "expected lines of at most 64 kB"),
    ],
)
def test_it_refuses_tables_that_do_not_hold_digits(data, message):
    with pytest.raises(DatasetError, match=message):
        layout_of(data)


def test_numbers_may_be_written_in_other_forms():
    line = b'"7", 255 ,12.0' + b",0" * 782 + b"\r\n"
    label, pixels = parse(line, has_labels=True)
    assert label == 7
    assert pixels[:3] == bytes([255, 12, 0])


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (b"256", "256"),
        (b"-1", "-1"),
        (b"1.5", "1.5"),
        (b"", ""),
        (b"x", "x"),
        (b"nan", "nan"),
        (b"2\x005", "2\N{REPLACEMENT CHARACTER}5"),  # PostgreSQL stores no NUL
    ],
)
def test_it_names_the_value_that_is_wrong(cell, shown):
    message = f'from 0 to 255, received "{shown}" in column 3'
    with pytest.raises(DatasetError, match=message):
        parse(b"0,0," + cell + b",0" * 781, has_labels=False)


def test_a_bad_row_does_not_affect_others(mnist):
    lines = kaggle_csv(mnist, 4).splitlines(keepends=True)
    lines[2] = b"1,2\n"
    lines.insert(4, b"\n")  # a blank line is no row
    file = io.BytesIO(b"".join(lines))
    rows = list(tables.rows(file, read_layout(file)))
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert rows[1].error == "expected 784 pixels, received 2 values"
    assert rows[3].pixels == mnist.images[3].tobytes()


def test_a_file_of_blank_lines_is_refused_at_once(mnist):
    file = io.BytesIO(kaggle_csv(mnist, 3) + b"\n" * 20_000_000)
    layout = read_layout(file)
    with pytest.raises(DatasetError, match="received 10,004 blank lines"):
        list(tables.rows(file, layout))
    assert file.tell() < 100_000  # no more of it was looked at


def test_a_blank_line_after_each_row_is_read(mnist):
    lines = kaggle_csv(mnist, 5).splitlines(keepends=True)
    table = b"\n".join([lines[0], *(lines[1:] * 3000), b""])
    file = io.BytesIO(table)
    count = sum(1 for _ in tables.lines(file, read_layout(file).start))
    assert count == 15_000


def test_a_gzipped_table_loads_as_a_plain_one_does(mnist, tmp_path):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(kaggle_csv(mnist, 5, labels=True)))
    dataset = load_csv(path)
    assert np.array_equal(dataset.images, mnist.images[:5])
    assert np.array_equal(dataset.labels, mnist.labels[:5])


def test_a_table_without_labels_is_refused_as_a_dataset(mnist, tmp_path):
    path = tmp_path / "test.csv"
    path.write_bytes(kaggle_csv(mnist, 2))
    with pytest.raises(DatasetError, match="expected a label and 784 pixels, received 784 values"):
        load_csv(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_csv(tmp_path / "missing.csv")
