"""Evaluation: answers beside the truth, and the figures that sum them up."""

import json

import numpy as np
import pytest

from tests.pictures import in_lines, mnist_png, png
from worker.evaluation import scoring
from worker.evaluation.scoring import Answer, Sample, align, figures
from worker.files.datasets import Dataset, DatasetError
from worker.files.tables import load_csv


def answer(truth: str, text: str, confidence: float | None = 0.9) -> Answer:
    return Answer("name", truth, text, confidence, np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize(
    ("truth", "text", "agreeing", "paired"),
    [
        ("12", "12", 2, 2),
        ("12 34", "1234", 4, 4),
        ("123", "13", 2, 2),
        ("13", "123", 2, 2),
        ("123", "193", 2, 3),
        ("", "7", 0, 0),
        ("7", "", 0, 0),
        ("4711", "1147", 2, 2),
    ],
)
def test_a_reading_is_aligned_with_the_truth(truth, text, agreeing, paired):
    assert align(truth, text) == (agreeing, paired)


def test_figures_count_images_and_digits():
    own = figures([answer("12", "12"), answer("3", "8"), answer("", "4"), answer("56", "5")])
    assert own["images"] == 4
    assert own["accuracy"] == 0.25
    assert own["accepted"] == 1
    assert own["digits"] == 5
    assert own["digits_right"] == 0.6
    assert own["digits_false"] == 1


def test_90_percent_confidence_that_is_right_nine_times_in_ten_is_calibrated():
    nine_of_ten = [answer("1", "1" if n < 9 else "2", 0.9) for n in range(10)]
    assert scoring.calibration_error(nine_of_ten) == pytest.approx(0, abs=1e-9)
    boasting = [answer("1", "1" if n < 5 else "2", 0.9) for n in range(10)]
    assert scoring.calibration_error(boasting) == pytest.approx(0.4)
    assert scoring.calibration_error([answer("1", "", 0.9)]) is None


def test_the_confusion_matrix_has_a_class_for_not_a_digit():
    counts = scoring.confusion([answer("3", "8"), answer("3", ""), answer("", "4")])
    assert counts[3, 8] == counts[3, 10] == counts[10, 4] == 1
    assert counts.sum() == 3


def test_it_reads_a_folder_whose_names_hold_the_digits(engine, mnist, tmp_path):
    (tmp_path / "7_a.png").write_bytes(mnist_png(mnist, 0))
    (tmp_path / "72-10_b.png").write_bytes(png(in_lines(mnist, [[0, 1], [2, 3]])))
    (tmp_path / "_blank.png").write_bytes(png(np.full((60, 60), 240)))
    answers = scoring.load_answers(engine, tmp_path)
    assert [(a.truth, a.text) for a in answers] == [("72 10", "72 10"), ("7", "7"), ("", "")]
    assert figures(answers)["accuracy"] == 1


def test_it_refuses_a_folder_without_digits_in_its_names(engine, tmp_path):
    with pytest.raises(DatasetError, match="empty folder"):
        scoring.load_answers(engine, tmp_path)
    (tmp_path / "seven.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r'expected a name as "7_anything\.png"'):
        scoring.load_answers(engine, tmp_path)


def test_a_file_that_cannot_be_read_counts_as_wrong(engine, mnist):
    samples = [Sample("7_a.png", b"words", "7"), Sample("7_b.png", mnist_png(mnist, 0), "7")]
    assert [a.text for a in scoring.answers_of_files(engine, samples)] == ["", "7"]


def test_pixels_must_be_28x28(engine):
    with pytest.raises(DatasetError, match="28x28 pixels, received 8x8"):
        scoring.answers_of_pixels(engine, Dataset(np.zeros((1, 8, 8), np.uint8), np.zeros(1)))


def rows_of(mnist, count: int) -> list[str]:
    header = ",".join(["label", *(f"pixel{n}" for n in range(784))])
    rows = [",".join(map(str, [mnist.labels[n], *mnist.images[n].ravel()])) for n in range(count)]
    return [header, *rows]


def test_it_reads_a_csv_of_labels_and_pixels(mnist, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("\n".join(rows_of(mnist, 20)))
    dataset = load_csv(path)
    assert np.array_equal(dataset.images, mnist.images[:20])
    assert np.array_equal(dataset.labels, mnist.labels[:20])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7,1,2", "row 3: expected a label and 784 pixels, received 3 values"),
        ("7" + ",x" * 784, 'row 3: expected whole numbers from 0 to 255, received "x" in column 2'),
        ("12" + ",0" * 784, "row 3: expected a label from 0 to 9, received 12"),
        (
            "7" + ",256" * 784,
            'row 3: expected whole numbers from 0 to 255, received "256" in column 2',
        ),
    ],
)
def test_it_names_the_row_of_a_csv_that_is_wrong(mnist, tmp_path, row, message):
    path = tmp_path / "some.csv"
    path.write_text("\n".join([*rows_of(mnist, 2), row]))
    with pytest.raises(DatasetError, match=message):
        load_csv(path)


def test_the_command_prints_a_table_json_and_plots(manage, mnist, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for n in range(30):
        (images / f"{mnist.labels[n]}_{n}.png").write_bytes(mnist_png(mnist, n))
    done = manage("evaluate", f"some={images}", DATA_DIR=tmp_path)
    assert done.returncode == 0, done.stderr
    title, row = done.stdout.splitlines()
    for word in ("images", "right", "false digits", "accepted", "calibration error"):
        assert word in title
    assert row.split()[:5] == ["some", "30", "100.00%", "-", "100.00%"]

    plots, kept = tmp_path / "plots", tmp_path / "metrics.json"
    kept.write_text('{"sha256": "abc"}')
    words = ["--json", "--plots", plots, "--metrics", kept, "--not-digits", f"none={images}"]
    done = manage("evaluate", *words, DATA_DIR=tmp_path)
    own = json.loads(done.stdout)["none"]
    assert (own["images"], own["accuracy"], own["digits_false"]) == (30, 0, 30)
    metrics = json.loads(kept.read_text())
    assert (metrics["sha256"], metrics["evaluation"]) == ("abc", {"none": own})
    assert sum(map(sum, metrics["report"]["confusion"])) == 10_000
    names = sorted(path.name for path in (plots / "none").iterdir())
    assert names == ["confusion.png", "gallery.png", "reliability.png"]
    assert all((plots / "none" / name).stat().st_size > 5000 for name in names)


def test_the_command_names_what_is_missing(manage, tmp_path):
    done = manage("evaluate", tmp_path / "nothing", DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert "CommandError: no such file or folder" in done.stderr
