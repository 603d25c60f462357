"""Train a network on labelled digits: augment, fit, evaluate."""

import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
from PIL import Image

from worker import networks
from worker.bundle import write_bundle
from worker.datasets import Dataset, load_mnist

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """The settings of one training; the defaults make the model that ships."""

    architecture: str = "cnn"
    epochs: int = 14
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    seed: int = 1

    def __post_init__(self):
        networks.check_name(self.architecture)
        for name, low, high in (
            ("epochs", 1, 1000),
            ("batch_size", 1, 4096),
            ("learning_rate", 1e-8, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"expected {name} from {low} to {high}, received {value}")

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Score:
    """How well a model reads a dataset: the mean cross-entropy and the share read right."""

    loss: float
    accuracy: float


def to_input(images: np.ndarray) -> np.ndarray:
    """Turn uint8 images of shape (n, 28, 28) into the networks' float32 input (n, 28, 28, 1)."""
    return np.asarray(images, np.float32)[..., None] / np.float32(255)


class AugmentedDigits(keras.utils.PyDataset):
    """Batches of distorted digits. The same seed, epoch and batch give the same pixels."""

    def __init__(self, dataset: Dataset, recipe: Recipe, **kwargs):
        super().__init__(**kwargs)
        self.dataset = dataset
        self.recipe = recipe
        self.epoch = 0
        self.order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.recipe.batch_size)

    def __getitem__(self, index: int):
        size = self.recipe.batch_size
        rows = self.order[index * size : (index + 1) * size]
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        images = np.stack([distort(image, rng) for image in self.dataset.images[rows]])
        return to_input(images), np.eye(networks.CLASSES, dtype=np.float32)[
            self.dataset.labels[rows]
        ]

    def on_epoch_end(self):
        self.epoch += 1
        self.order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        return rng.permutation(len(self.dataset))


def distort(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a digit as another hand might: turned, slanted, stretched, wobbly, thin or thick.

    Args:
        image: uint8, shape (28, 28); 0 is paper.
        rng: the source of chance.

    Returns:
        uint8, shape (28, 28).

    Source: Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
    to visual document analysis" (2003), for the elastic displacement.
    """
    angle = math.radians(rng.uniform(-12, 12))
    slant = rng.uniform(-0.25, 0.25)
    scale_x, scale_y = rng.uniform(0.82, 1.12, 2)
    cos, sin = math.cos(angle), math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, slant], [0, 1]])
    linear = linear @ np.diag([1 / scale_x, 1 / scale_y])
    centre = np.array([13.5, 13.5])
    shift = rng.uniform(-2, 2, 2)
    grid = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1) - centre - shift
    source = grid @ linear.T + centre
    if rng.random() < 0.5:
        noise = rng.uniform(-1, 1, (28, 28, 2)).astype(np.float32)
        source = source + cv2.GaussianBlur(noise, (0, 0), 4) * rng.uniform(0, 14)
    source = source.astype(np.float32)
    moved = cv2.remap(image, source[..., 0], source[..., 1], cv2.INTER_LINEAR)
    chance = rng.random()
    if chance < 0.1:
        moved = cv2.dilate(moved, np.ones((2, 2), np.uint8))
    elif chance < 0.2:
        moved = cv2.erode(moved, np.ones((2, 2), np.uint8))
    return moved


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
    validation: Dataset | None = None,
    on_epoch: Callable[[int, dict], None] | None = None,
) -> keras.Model:
    """Train a network from scratch.

    Args:
        dataset: what to learn.
        recipe: the settings; the default makes the model that ships.
        validation: what to measure after each epoch.
        on_epoch: called after each epoch with its number (from 1) and its figures (loss, accuracy,
            and val_loss and val_accuracy where there is validation data).

    Returns:
        The trained Keras model.
    """
    recipe = recipe or Recipe()
    if not len(dataset):
        raise ValueError("expected at least one image to train on, received none")
    keras.utils.set_random_seed(recipe.seed)
    model = networks.build(recipe.architecture)
    steps = math.ceil(len(dataset) / recipe.batch_size) * recipe.epochs
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                recipe.learning_rate / 10,
                steps,
                warmup_target=recipe.learning_rate,
                warmup_steps=steps // 10,
                alpha=0.002,
            ),
            weight_decay=recipe.weight_decay,
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    callbacks = []
    if on_epoch:
        callbacks.append(
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, dict(logs or {}))
            )
        )
    held_out = None
    if validation is not None:
        held_out = (
            to_input(validation.images),
            np.eye(networks.CLASSES, dtype=np.float32)[validation.labels],
        )
    model.fit(
        AugmentedDigits(dataset, recipe),
        epochs=recipe.epochs,
        validation_data=held_out,
        validation_batch_size=EVALUATION_BATCH,
        callbacks=callbacks,
        verbose=0,
    )
    trained = networks.build(recipe.architecture)  # without the optimizer's state
    trained.set_weights(model.get_weights())
    return trained


def evaluate(model: keras.Model, dataset: Dataset) -> Score:
    """Measure a model on labelled digits, without augmentation."""
    probabilities = model.predict(to_input(dataset.images), batch_size=EVALUATION_BATCH, verbose=0)
    chosen = probabilities[np.arange(len(dataset)), dataset.labels]
    return Score(
        loss=float(-np.log(np.clip(chosen, 1e-7, 1)).mean()),
        accuracy=float((probabilities.argmax(axis=1) == dataset.labels).mean()),
    )


def train_on_mnist(
    recipe: Recipe, output: Path, on_epoch: Callable[[int, dict], None] | None = None
) -> dict:
    """Train on MNIST's training images and write the model with its metrics to a folder.

    Returns:
        The metrics, as metrics.json holds them.
    """
    started = time.monotonic()
    test, epochs = load_mnist("test"), []

    def keep(epoch: int, figures: dict):
        epochs.append({name: round(float(value), 5) for name, value in figures.items()})
        if on_epoch:
            on_epoch(epoch, figures)

    model = train(load_mnist("train"), recipe, test, keep)
    seconds = time.monotonic() - started
    return write_bundle(
        model,
        measure(model, test)
        | {"recipe": recipe.as_dict(), "epochs": epochs, "training_seconds": round(seconds)},
        output,
    )


def measure(model: keras.Model, test: Dataset) -> dict:
    """Give a model's figures: its size, and how it reads a test set, as pixels and as files."""
    score = evaluate(model, test)
    return {
        "architecture": model.name,
        "parameters": model.count_params(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "mnist_test": {
            "images": len(test),
            "accuracy": round(score.accuracy, 6),
            "loss": round(score.loss, 6),
        },
        "mnist_test_files": {"accuracy": round(accuracy_of_files(model, test), 6)},
    }


def accuracy_of_files(model: keras.Model, test: Dataset) -> float:
    """Give the share read right when each image is a PNG file that goes the whole path."""
    from worker.engine import Engine
    from worker.reading import read_images

    readings = read_images(Engine.of(model), [_png(image) for image in test.images])
    return float(
        np.mean([r.text == str(label) for r, label in zip(readings, test.labels, strict=True)])
    )


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
