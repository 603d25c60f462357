"""The commands for many digits; docs/commands.md is run as it stands."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from digits.learning.corrections import correct
from digits.models import ModelVersion
from tests.bulks import csv_of, idx, kaggle_csv, npz_of, zip_of
from tests.factories import make_reading
from tests.pictures import mnist_png, on_paper, png
from tests.site import ROOT, environment
from worker.files.datasets import MNIST_DIR, load_idx, read_idx_images
from worker.files.tables import load_csv
from worker.reading.bundle import BUNDLED_MODEL
from worker.reading.engine import Engine


@pytest.fixture
def folder(tmp_path, mnist) -> Path:
    (tmp_path / "train.csv").write_bytes(kaggle_csv(mnist, 300, labels=True))
    (tmp_path / "test.csv").write_bytes(kaggle_csv(mnist, 300))
    return tmp_path


@pytest.fixture
def predict(folder, capsys, monkeypatch):
    """Run the command here, with the model that ships; gives what it printed and its status."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # pinned, whatever imported TensorFlow first

    def run(*words) -> tuple[str, str, int]:
        try:
            call_command("predict", *map(str, words), model=BUNDLED_MODEL)
            status = 0
        except SystemExit as end:
            status = end.code
        return *capsys.readouterr(), status

    return run


def rows_of(text: str) -> list[dict]:
    return list(csv.DictReader(text.splitlines()))


def test_predict_writes_kaggles_submission(predict, folder, mnist):
    out, _, status = predict(folder / "test.csv", "-o", folder / "submission.csv")
    rows = rows_of((folder / "submission.csv").read_text())
    assert (status, out) == (0, f"300 read; written to {folder}/submission.csv\n")
    assert [row["ImageId"] for row in rows] == [str(n) for n in range(1, 301)]
    expected = Engine().predict(mnist.images[:300])[:, :10].argmax(axis=1)
    assert [int(row["Label"]) for row in rows] == expected.tolist()


def test_predict_tells_how_many_are_right_as_json(predict, folder, mnist):
    (folder / "images").write_bytes(idx(mnist.images[:300]))
    (folder / "labels").write_bytes(idx(mnist.labels[:300]))
    words = ["--labels", folder / "labels", "-o", folder / "out.csv", "--json"]
    figures = json.loads(predict(folder / "images", *words)[0])
    assert (figures["kind"], figures["rows"], figures["bad"]) == ("idx", 300, 0)
    assert figures["accuracy"] > 0.99


def test_predict_says_what_it_assumed_and_is_told_otherwise(predict, folder, mnist):
    table = folder / "other.csv"
    table.write_bytes(csv_of(1 - mnist.images[:20] / 255, [*range(20)], label_name="digit"))
    with pytest.raises(CommandError, match="say with the option label_column"):
        predict(table)
    out, error, status = predict(table, "--label-column", "none")
    assert "Assumed: Values from 0 to 1" in error
    assert "Assumed: High values are taken for paper" in error
    assert [row["Label"] for row in rows_of(out)] == [str(one) for one in mnist.labels[:20]]
    said = ["--label-column=none", "--scale=0..1", "--invert=yes", "--transpose=no"]
    out, error, status = predict(table, *said)
    assert ("(scale 1)" in error, "(invert)" in error, status) == (False, False, 0)
    with pytest.raises(CommandError, match="There is no column “colour”"):
        predict(table, "--label-column", "colour")
    figures = predict(table, *said[:1], "-o", folder / "out.csv", "--json")[0]
    assert "High values" in " ".join(json.loads(figures)["assumptions"])


def test_evaluate_says_what_it_assumed(manage, folder, mnist):
    (folder / "last.csv").write_bytes(
        csv_of(mnist.images[:50], mnist.labels[:50], names=None, label="last")
    )
    (folder / "a.npz").write_bytes(npz_of(x=mnist.images[:50] / 255, y=mnist.labels[:50]))
    names = [str(folder / "last.csv"), str(folder / "a.npz")]
    done = manage("evaluate", *names, "--json", DATA_DIR=folder)
    assert {one["accuracy"] for one in json.loads(done.stdout).values()} == {1.0}
    assert "Assumed: The labels are taken from the last column (label_column)." in done.stderr
    assert "Assumed: Values from 0 to 1 are taken" in done.stderr
    done = manage("evaluate", names[0], "--label-column=colour", DATA_DIR=folder)
    assert (done.returncode, "there is no column" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["a\rb.png", "=1+1.png", "\uff1d1.png", "a\nb.png", "\n=1.png"])
def test_no_name_breaks_the_csv_or_is_a_formula_in_it(predict, folder, mnist, name):
    (folder / "scans.zip").write_bytes(zip_of({name: mnist_png(mnist, 0)}))
    for options in ([], ["--confidences"]):
        out, _, _ = predict(folder / "scans.zip", *options)
        header, row = csv.reader(io.StringIO(out, newline=""))
        own = row[options == ["--confidences"]]
        assert own == (name if name[0] == "a" else f"'{name}")
        assert len(header) == len(row)


@pytest.mark.parametrize("packed", [True, False])
def test_predict_reads_zips_and_folders_and_names_what_is_bad(predict, folder, mnist, packed):
    files = {"a.png": mnist_png(mnist, 0), "b.png": b"words", "c.png": mnist_png(mnist, 1)}
    source = folder / "scans"
    if packed:
        source.write_bytes(zip_of(files))
    else:
        source.mkdir()
        for name, data in files.items():
            (source / name).write_bytes(data)
    out, error, status = predict(source, "--confidences")
    assert [(row["name"], row["reading"]) for row in rows_of(out)] == [
        ("a.png", "7"),
        ("b.png", ""),
        ("c.png", "2"),
    ]
    assert "b.png: The file is not an image" in error
    assert status == 1


def test_predict_names_a_bad_row_and_goes_on(predict, folder):
    lines = (folder / "test.csv").read_bytes().splitlines(keepends=True)
    (folder / "test.csv").write_bytes(b"".join([*lines[:2], b"1,2\n", *lines[3:]]))
    out, error, status = predict(folder / "test.csv")
    assert "row 2: Expected 784 pixels, received 2 values." in error
    assert (len(rows_of(out)), status) == (300, 1)


def test_predict_says_what_it_expected(predict, folder):
    (folder / "words.txt").write_text("words")
    with pytest.raises(CommandError, match="cannot be read as CSV: expected 784 pixels"):
        predict(folder / "words.txt", "-o", folder / "out.csv")
    with pytest.raises(CommandError, match="cannot be opened: No such file"):
        predict(folder / "missing.csv")
    with pytest.raises(CommandError, match="expected --output FILE beside --json"):
        predict(folder / "test.csv", "--json")
    with pytest.raises(CommandError, match="cannot be written"):
        predict(folder / "test.csv", "-o", folder / "nowhere" / "out.csv")
    assert not (folder / "out.csv").exists()


def test_export_images_tells_what_it_wrote(folder, capsys):
    names = [str(folder / name) for name in ("train.csv", "test.csv", "train", "test")]
    call_command("export_images", *names, json=True)
    assert json.loads(capsys.readouterr().out) == {names[2]: 300, names[3]: 300}
    assert len(list((folder / "test").iterdir())) == 300
    with pytest.raises(CommandError, match="No such file"):
        call_command("export_images", "missing.csv", *names[1:])


@pytest.mark.django_db
def test_export_corrections_writes_the_labels_of_people(redis, folder, mnist, capsys):
    version = ModelVersion.active()
    digits = list(make_reading(version, digits=3).digits.all())
    for digit, label in zip(digits, (4, 10, None), strict=True):
        digit.pixels = mnist.images[digit.position].tobytes()
        digit.save()
        correct(digit, label)
    call_command("export_corrections", str(folder), json=True)
    assert json.loads(capsys.readouterr().out) == {"digits": 1, "not_digits": 1, "skipped": 0}
    pair = [folder / f"corrections-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1")]
    for found in (load_idx(*pair), load_csv(folder / "corrections.csv")):
        assert found.labels.tolist() == [4]
        assert np.array_equal(found.images[0], mnist.images[0])
    none = read_idx_images(folder / "not-digits-images-idx3-ubyte.gz")
    assert np.array_equal(none, mnist.images[1:2])


def test_the_documented_examples_run(folder, mnist):
    shutil.copy(MNIST_DIR / "t10k-images-idx3-ubyte.gz", folder)
    shutil.copy(MNIST_DIR / "t10k-labels-idx1-ubyte.gz", folder)
    (folder / "photo.jpg").write_bytes(png(on_paper(mnist.images[0])))
    for name, index in (("scans/a.png", 1), ("labelled/7_a.png", 0), ("labelled/2_b.png", 1)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(mnist_png(mnist, index))
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/commands.md").read_text(), re.S)
    assert len(blocks) >= 6
    manage = f"{sys.executable} {ROOT}/manage.py"
    script = "\n".join([f"{manage} migrate --verbosity 0", *blocks])
    done = subprocess.run(
        ["bash", "-euxc", script.replace(".venv/bin/python manage.py", manage)],
        cwd=folder,
        env=environment(DATA_DIR=folder / "data"),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    assert "photo.jpg: 7 (" in done.stdout
    assert '"kind": "idx", "rows": 10000, "bad": 0, "accuracy": 0.99' in done.stdout
    assert len((folder / "submission.csv").read_text().splitlines()) == 301
    assert (folder / "corrections" / "corrections.csv").exists()


def test_a_bar_is_shown_on_a_terminal_only(folder):
    names = ["train.csv", "test.csv", "a", "b"]
    words = [sys.executable, ROOT / "manage.py", "export_images", *names]
    here = {"cwd": folder, "env": environment(DATA_DIR=folder), "stdout": subprocess.PIPE}
    controller, terminal = pty.openpty()
    with open(controller, "rb", buffering=0) as screen:
        running = subprocess.Popen(words, stderr=terminal, **here)
        os.close(terminal)
        shown = b"".join(_until_it_ends(screen))
        running.communicate()
    piped = subprocess.run(words, stderr=subprocess.PIPE, check=True, **here)
    assert b"Writing a" in shown
    assert piped.stderr == b""
    assert piped.stdout.endswith(b"300 images written to b\n")


def _until_it_ends(screen):
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
        while some := screen.read(4096):
            yield some
