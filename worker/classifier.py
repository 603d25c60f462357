"""DigitClassifier: digits from a notebook, without a server and without Django.

docs/python.md shows how it is used.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.arrays import Labels, Mask, Pixels
from worker.files.datasets import Dataset, load_mnist
from worker.files.exports import export_images
from worker.files.tables import load_csv, open_table, rows
from worker.reading.bundle import BUNDLED_MODEL, ModelError, write_model
from worker.training.recipes import Recipe

if TYPE_CHECKING:
    import keras

    from worker.metrics import Epoch
    from worker.reading.engine import Engine
    from worker.reading.reading import Reading

FilePath = str | os.PathLike[str]

HELD_OUT = 10  # where the test images have no labels, one training image in so many is kept for it
PREDICTED_CSV, GALLERY_PNG = "predicted.csv", "gallery.png"


@dataclass(frozen=True)
class Images:
    """Images to read: uint8, shape (n, 28, 28), 0 paper to 255 ink; labels where they are known."""

    images: Pixels
    labels: Labels | None = None


class DigitClassifier:
    """Train on labelled digits, measure, and read others.

    It begins with MNIST's training and test images; `download_imgs` takes those of two CSV files.
    """

    def __init__(self) -> None:
        test = load_mnist("test")
        self.training = load_mnist("train")
        self.test = Images(test.images, test.labels)
        self.model: keras.Model | None = None
        self._student: keras.Model | None = None  # that of self.model

    def download_imgs(
        self, train_csv: FilePath, test_csv: FilePath, train_dir: FilePath, test_dir: FilePath
    ) -> tuple[int, int]:
        """Write the rows of Kaggle's train.csv and test.csv as images, and work with them.

        Each is a PNG of 28x28 pixels, named by its index from 0; the labels go to labels.csv.

        Returns:
            The number of images of each.

        Raises:
            DatasetError: a file is not a table of digits, or train.csv has no labels; with the
                number of the row that is wrong.
        """
        counts = (
            export_images(Path(train_csv), Path(train_dir)),
            export_images(Path(test_csv), Path(test_dir)),
        )
        self.training = load_csv(Path(train_csv))
        self.test = _load_images(Path(test_csv))
        return counts

    def train(
        self, on_epoch: Callable[[int, "Epoch"], None] | None = None, **settings: Any
    ) -> "keras.Model":
        """Train a network.

        Args:
            on_epoch: called after each epoch with its number and its figures.
            settings: those of worker.training.recipes.Recipe, such as architecture, epochs,
                finishing_epochs, images_per_epoch, seed; the defaults make the model that ships,
                in about an hour on two cores.

        Returns:
            The trained Keras model.

        Raises:
            ValueError: a setting is unknown or out of its bounds.
        """
        recipe = Recipe.from_dict(settings)
        from worker.training.fit import Progress, train

        self.model = train(self._known, recipe, progress=Progress(on_epoch=on_epoch))
        self._student = None
        return self.model

    def evaluate(self, model: "keras.Model | None" = None) -> tuple[float, float]:
        """Measure a model on the test images, or on those held out where these have no labels.

        Returns:
            The mean cross-entropy, and the share that is read right.
        """
        from worker.training.fit import evaluate

        score = evaluate(self._engine(model), self._judged)
        return score.loss, score.accuracy

    def predict(self, model: "keras.Model | None", out_dir: FilePath) -> Labels:
        """Read the test images.

        Writes predicted.csv, `ImageID,Label` with numbers from 1 as Kaggle counts them (image
        0.png is 1), and gallery.png: wrong readings, the surest first, then right ones, the
        least sure first; of images whose label is known.

        Returns:
            The most probable digit of each: uint8, shape (n,).
        """
        from worker.evaluation.plots import draw_gallery
        from worker.evaluation.scoring import answers_of_pixels

        engine, folder = self._engine(model), Path(out_dir)
        folder.mkdir(parents=True, exist_ok=True)
        read = engine.predict(self.test.images)
        labels: Labels = read[:, :10].argmax(axis=1).astype(np.uint8)
        with open(folder / PREDICTED_CSV, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["ImageID", "Label"])
            writer.writerows(enumerate(labels.tolist(), 1))
        draw_gallery(answers_of_pixels(engine, self._judged), folder / GALLERY_PNG)
        return labels

    def predict_image(
        self, file: FilePath | bytes, model: "keras.Model | None" = None
    ) -> "Reading":
        """Read an image file the way the site does: any size, one digit or lines of them.

        Args:
            file: a path, or the bytes of an image in one of worker.images.formats.
            model: the one to read with; by default the last one trained or loaded, else the one
                that ships.

        Returns:
            A worker.reading.reading.Reading: `text`, `confidence`, and `digits`, each with its box.

        Raises:
            ImageError: the file is not an image that can be read.
        """
        from worker.reading.reading import read_images

        if model is None and self.model is None:
            self.load_model()
        data = file if isinstance(file, bytes) else Path(file).read_bytes()
        (reading,) = read_images(self._engine(model), [data])
        if reading.error:
            raise reading.error
        return reading

    def save_model(self, path: FilePath, model: "keras.Model | None" = None) -> None:
        """Write a model to a .keras file: the last one trained or loaded, where none is given."""
        file = Path(path)
        if file.suffix != ".keras":
            raise ValueError(f'expected a file name that ends in .keras, received "{file.name}"')
        write_model(self._given(model), file, self._student_of(model))

    def load_model(self, path: FilePath = BUNDLED_MODEL) -> "keras.Model":
        """Load a model, by default the one that ships, and go on with it.

        Raises:
            ModelError: the file is missing, damaged, or is not a digit model.
        """
        from worker.reading.keras_models import load_model, load_student

        self.model, self._student = load_model(Path(path)), load_student(Path(path))
        return self.model

    @property
    def _known(self) -> Dataset:
        """The images to train on: all training images, or those that are not held out."""
        if self.test.labels is not None:
            return self.training
        return self._chosen(np.arange(len(self.training)) % HELD_OUT != 0)

    @property
    def _judged(self) -> Dataset:
        """The images that a model is measured on."""
        if self.test.labels is not None:
            return Dataset(self.test.images, self.test.labels)
        return self._chosen(np.arange(len(self.training)) % HELD_OUT == 0)

    def _chosen(self, chosen: Mask) -> Dataset:
        return Dataset(self.training.images[chosen], self.training.labels[chosen])

    def _engine(self, model: "keras.Model | None") -> "Engine":
        from worker.reading.engine import Engine

        return Engine.from_model(self._given(model), self._student_of(model))

    def _student_of(self, model: "keras.Model | None") -> "keras.Model | None":
        """Return the student that was loaded with a model."""
        return self._student if model is None or model is self.model else None

    def _given(self, model: "keras.Model | None") -> "keras.Model":
        model = model if model is not None else self.model
        if model is None:
            raise ModelError("expected a model, received none: train or load one first")
        return model


def _load_images(table: Path) -> Images:
    with open_table(table) as (file, layout):
        found = list(rows(file, layout))
    pixels = np.frombuffer(b"".join(row.pixels or b"" for row in found), np.uint8)
    known = [row.label for row in found if row.label is not None]
    labels = np.array(known, np.uint8) if known and len(known) == len(found) else None
    return Images(pixels.reshape(-1, 28, 28), labels)
