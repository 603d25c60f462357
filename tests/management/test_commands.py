"""The commands, each in a process of its own."""

import json

import pytest

from tests.pictures import mnist_png, on_paper, png
from worker.reading.bundle import file_sha256


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, mnist):
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "seven.png").write_bytes(mnist_png(mnist, 0))
    (folder / "photo.png").write_bytes(png(on_paper(mnist.images[1])))
    (folder / "blank.png").write_bytes(png(on_paper(mnist.images[1], ink=230)))
    (folder / "text.png").write_text("words")
    return folder


def test_classify_reads_files_without_a_server(manage, pictures, tmp_path):
    names = [f"{pictures}/seven.png", f"{pictures}/photo.png"]
    done = manage("classify", "--json", *names, DATA_DIR=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert [first["file"], second["file"]] == names
    assert (first["reading"], second["reading"]) == ("7", "2")
    (digit,) = first["digits"]
    assert digit["digit"] == 7
    assert digit["box"] == [6, 7, 16, 20]
    assert len(digit["probabilities"]) == 10
    assert 0.9 < sum(digit["probabilities"]) <= 1 + 1e-5
    assert digit["confidence"] == max(digit["probabilities"])
    assert first["error"] is None


def test_classify_goes_on_after_a_bad_file_and_exits_with_1(manage, pictures, tmp_path):
    words = [f"{pictures}/{name}.png" for name in ("text", "missing", "blank", "seven")]
    done = manage("classify", "--json", *words, DATA_DIR=tmp_path)
    assert done.returncode == 1
    text, missing, blank, seven = map(json.loads, done.stdout.splitlines())
    assert "not an image" in text["error"]
    assert "No such file" in missing["error"]
    assert (blank["reading"], blank["digits"], blank["error"]) == ("", [], None)
    assert seven["reading"] == "7"
    assert "Traceback" not in done.stderr


def test_classify_prints_a_line_a_file_and_reads_folders(manage, pictures, tmp_path):
    done = manage("classify", pictures, DATA_DIR=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == f"{pictures}/blank.png: no digit found"
    assert lines[2].startswith(f"{pictures}/seven.png: 7 (")
    assert "text.png: The file is not an image" in done.stderr


def test_classify_says_that_a_model_is_damaged(manage, pictures, tmp_path):
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    done = manage("classify", f"{pictures}/seven.png", "--model", broken, DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert "CommandError: the model file broken.keras cannot be loaded" in done.stderr


@pytest.fixture(scope="module")
def trained(manage, few_images, tmp_path_factory):
    """A small training; the one that ships takes the same way."""
    folder = tmp_path_factory.mktemp("trained")
    words = ["--architecture", "mlp", "--epochs", "1", "--finishing-epochs", "0"]
    words += ["--images-per-epoch", "8000", "--batch-size", "64", "--seed", "3"]
    done = manage("train", "--output", folder, *words, DATA_DIR=folder, **few_images)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_train_writes_a_model_with_its_metrics(trained):
    folder, done = trained
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["sha256"] == file_sha256(folder / "digits.keras")
    assert metrics["recipe"]["seed"] == 3
    assert metrics["evaluation"]["mnist"]["probable_right"] > 0.85
    assert metrics["architecture"] == "mlp"
    assert "epoch 1: accuracy" in done.stdout


def test_train_goes_on_from_a_model_and_says_how_that_was_trained(
    trained, manage, few_images, tmp_path
):
    start = trained[0] / "digits.keras"
    words = ["--architecture", "mlp", "--epochs", "1", "--finishing-epochs", "0"]
    words += ["--images-per-epoch", "2000", "--learning-rate", "1e-5"]
    words = ["--output", tmp_path, "--start", start, *words]
    done = manage("train", *words, DATA_DIR=tmp_path, **few_images)
    assert done.returncode == 0, done.stderr
    before, after = (
        json.loads((folder / "metrics.json").read_text()) for folder in (trained[0], tmp_path)
    )
    assert after["start"]["sha256"] == before["sha256"]
    assert after["start"]["recipe"]["seed"] == 3
    figures = [one["evaluation"]["mnist"]["probable_right"] for one in (before, after)]
    assert figures[1] == pytest.approx(figures[0], abs=0.03)


def test_train_refuses_to_go_on_from_another_architecture(trained, manage, tmp_path):
    start = trained[0] / "digits.keras"
    done = manage("train", "--output", tmp_path, "--start", start, DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert "expected a model of cnn" in done.stderr


def test_train_verifier_makes_a_verifier(manage, tmp_path):
    done = manage(
        *("train_verifier", "--output", tmp_path, "--parts", 600, "--epochs", 2), DATA_DIR=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 2: accuracy" in done.stdout
    facts = json.loads((tmp_path / "verifier.json").read_text())
    assert facts["sha256"] == file_sha256(tmp_path / "verifier.keras")
    assert facts["recipe"]["parts"] == 600
    assert len(facts["epochs"]) == 2
    refused = manage("train_verifier", "--output", tmp_path, "--parts", 0, DATA_DIR=tmp_path)
    assert refused.returncode == 1
    assert "expected parts from 1" in refused.stderr


def test_a_trained_model_reads(trained, manage, pictures, tmp_path):
    model = trained[0] / "digits.keras"
    done = manage("classify", f"{pictures}/seven.png", "--model", model, DATA_DIR=tmp_path)
    assert done.stdout.startswith(f"{pictures}/seven.png: 7 (")


def test_train_fine_tunes_the_active_version_as_a_run_of_its_own(manage, few_images, tmp_path):
    manage("migrate", "--verbosity", "0", DATA_DIR=tmp_path)
    nothing = manage("train", DATA_DIR=tmp_path)
    assert (nothing.returncode, nothing.stdout) == (0, "Nothing is new since the last training.\n")
    words = ["--force", "--epochs", "1", "--images-per-epoch", "256", "--keep-active"]
    done = manage("train", *words, DATA_DIR=tmp_path, **few_images)
    assert done.returncode == 0, done.stderr
    assert "version 2 was made; it reads" in done.stdout
    assert "epoch 1: accuracy" in done.stderr
    again = manage("train", "--json", DATA_DIR=tmp_path)
    nothing_new = {"outcome": "Nothing is new since the last training.", "version": None}
    assert json.loads(again.stdout) == nothing_new


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "0"], "expected epochs from 1 to 1000, received 0"),
        (["--epochs", "many"], "epochs: invalid literal"),
        (["--architecture", "rnn"], 'expected an architecture of cnn, mlp, received "rnn"'),
    ],
)
def test_train_refuses_bad_settings_at_once(manage, tmp_path, words, message):
    done = manage("train", *words, DATA_DIR=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("MAX_UPLOAD_MB", "0"), ("LEASE_SECONDS", "-1")]
)
def test_a_bad_setting_is_reported_in_words(manage, tmp_path, name, value):
    done = manage("check", DATA_DIR=tmp_path, **{name: value})
    assert done.returncode == 1
    assert f"expected {name} to be a number" in done.stderr


def test_a_generated_password_is_printed_once_and_works(manage, tmp_path):
    manage("migrate", "--verbosity", "0", DATA_DIR=tmp_path)
    first = manage("ensure_admin", DATA_DIR=tmp_path).stdout
    password = first.split("password: ")[1].strip()
    again = manage("ensure_admin", DATA_DIR=tmp_path).stdout
    assert password not in again
    who = f"RequestFactory().post('/'), username='admin', password='{password}'"
    code = "from django.contrib.auth import authenticate;"
    code += f" from django.test import RequestFactory; print(authenticate({who}))"
    assert "admin" in manage("shell", "--no-imports", "--command", code, DATA_DIR=tmp_path).stdout
