"""DigitClassifier, the plain Python API; docs/python.md is run as it stands."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bulks import kaggle_csv
from tests.pictures import mnist_png, on_paper, png
from tests.site import ROOT, environment
from worker.classifier import DigitClassifier
from worker.files.datasets import DatasetError
from worker.images.errors import ImageError
from worker.reading.bundle import ModelError, has_student
from worker.reading.engine import Engine
from worker.reading.reading import read_images

SMALL = {"architecture": "mlp", "epochs": 1, "finishing_epochs": 0, "images_per_epoch": 500}


@pytest.fixture
def tables(tmp_path, mnist) -> Path:
    (tmp_path / "train.csv").write_bytes(kaggle_csv(mnist, 600, labels=True))
    (tmp_path / "test.csv").write_bytes(kaggle_csv(mnist, 40))
    (tmp_path / "labelled.csv").write_bytes(kaggle_csv(mnist, 40, labels=True))
    return tmp_path


def download(digits: DigitClassifier, folder: Path, test: str = "test.csv"):
    names = ("train.csv", test, "train", "test")
    return digits.download_imgs(*(folder / name for name in names))


def test_rows_become_images_named_by_their_index_with_their_labels(tables, mnist):
    assert download(DigitClassifier(), tables) == (600, 40)
    assert len(list((tables / "train").glob("*.png"))) == 600
    with Image.open(tables / "train" / "599.png") as image:
        assert np.array_equal(np.asarray(image), mnist.images[599])
    with open(tables / "train" / "labels.csv") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["image", "label"], ["0.png", "7"]]
    assert len(rows) == 601
    assert not (tables / "test" / "labels.csv").exists()


def test_a_wrong_row_is_reported_with_its_number(tables):
    (tables / "test.csv").write_bytes(b"0" + b",0" * 783 + b"\n1,2\n")
    with pytest.raises(DatasetError, match="row 2: expected 784 pixels, received 2 values"):
        download(DigitClassifier(), tables)
    with pytest.raises(DatasetError, match="No such file"):
        download(DigitClassifier(), tables / "nowhere")


def test_without_labels_every_tenth_training_image_is_kept_for_measuring(tables):
    digits = DigitClassifier()
    download(digits, tables)
    assert (len(digits._known), len(digits._judged)) == (540, 60)
    download(digits, tables, "labelled.csv")
    assert (len(digits._known), len(digits._judged)) == (600, 40)


def test_it_measures_and_predicts_with_a_gallery(tables, mnist):
    digits = DigitClassifier()
    download(digits, tables, "labelled.csv")
    loss, accuracy = digits.evaluate(digits.load_model())
    assert loss < 0.1
    assert accuracy == 1.0
    labels = digits.predict(digits.model, tables / "results")
    assert labels.tolist() == mnist.labels[:40].tolist()
    lines = (tables / "results" / "predicted.csv").read_text().splitlines()
    assert lines[:2] == ["ImageID,Label", "1,7"]
    assert len(lines) == 41
    with Image.open(tables / "results" / "gallery.png") as gallery:
        assert gallery.width > 500


def test_it_reads_an_image_as_the_site_does(tmp_path, mnist):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(on_paper(mnist.images[1])))
    (expected,) = read_images(Engine(), [photo.read_bytes()])
    reading = DigitClassifier().predict_image(photo)
    assert (reading.text, reading.confidence) == (expected.text, expected.confidence) != ("", None)
    assert DigitClassifier().predict_image(mnist_png(mnist, 0)).text == "7"
    with pytest.raises(ImageError, match="not an image"):
        DigitClassifier().predict_image(b"words")


def test_a_trained_model_is_saved_and_loaded(tables, tmp_path):
    digits = DigitClassifier()
    download(digits, tables)
    model = digits.train(**SMALL)
    digits.save_model(tmp_path / "mine.keras")
    loaded = DigitClassifier().load_model(tmp_path / "mine.keras")
    images = digits.test.images
    assert np.allclose(
        Engine.from_model(model).predict(images), Engine.from_model(loaded).predict(images)
    )


def test_a_model_that_is_saved_again_keeps_its_student(tmp_path):
    digits = DigitClassifier()
    digits.load_model()
    digits.save_model(tmp_path / "again.keras")
    assert has_student(tmp_path / "again.keras")
    assert Engine(tmp_path / "again.keras", converted=tmp_path / "converted").student is not None


def test_errors_name_what_was_expected(tmp_path):
    digits = DigitClassifier()
    with pytest.raises(ModelError, match="expected a model, received none"):
        digits.evaluate()
    with pytest.raises(ModelError, match="is missing"):
        digits.load_model(tmp_path / "no.keras")
    with pytest.raises(ValueError, match=r"ends in .keras, received \"mine\""):
        digits.save_model("mine", digits.load_model())
    with pytest.raises(ValueError, match="expected settings of a recipe, received colour"):
        digits.train(colour="red")


def test_the_documented_example_runs_without_django(tables, mnist):
    (tables / "photo.jpg").write_bytes(png(on_paper(mnist.images[0])))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.S)
    assert len(blocks) >= 6
    blocks.append("import sys; assert 'django' not in sys.modules")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tables,
        env=environment(PYTHONPATH=ROOT, TF_CPP_MIN_LOG_LEVEL=3),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "\n7 0.9" in done.stdout
    assert (tables / "results" / "gallery.png").exists()
    assert (tables / "mine.keras").exists()
