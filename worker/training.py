"""Train a network on labelled digits: augment, fit, evaluate."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from worker import devices, evaluation, networks
from worker.augmentation import distort, not_a_digit
from worker.bundle import write_bundle
from worker.datasets import Dataset, load_mnist

EVALUATION_BATCH = 256
PRECISIONS = ("auto", "float32", "mixed_bfloat16")
CALIBRATION_BATCHES = 64
EXPECTED_NOT_DIGITS = 0.08  # of what is found in people's images
# The last epochs see digits nearly as they are, with small steps: what they look like, not only
# what they may look like.
FINISHING_ROUNDS, FINISHING_RATE, FINISHING_LIGHTLY = 2, 0.15, 0.85
FINISHING_NOT_DIGITS, FINISHING_LETTERS = 2, 0.5  # times the recipe's share; and of those


@dataclass(frozen=True)
class Recipe:
    """The settings of one training; the defaults make the model that ships.

    epochs, finishing_epochs: with strongly distorted digits, and then, twice so many, with hardly
        distorted ones.
    not_digits: the share of each batch that is no digit.
    precision: "float32", "mixed_bfloat16" (faster where the processor has it), or "auto".
    """

    architecture: str = "cnn"
    epochs: int = 28
    finishing_epochs: int = 8
    batch_size: int = 128
    not_digits: float = 0.125
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.02
    precision: str = "auto"
    seed: int = 1

    def __post_init__(self):
        networks.check_name(self.architecture)
        for name, low, high in (
            ("epochs", 1, 1000),
            ("finishing_epochs", 0, 1000),
            ("batch_size", 1, 4096),
            ("not_digits", 0, 0.9),
            ("learning_rate", 1e-8, 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"expected {name} from {low} to {high}, received {value}")

        if self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ValueError(f'expected a precision of {known}, received "{self.precision}"')

    @property
    def stages(self) -> list["Stage"]:
        """The parts of the training, in order."""
        stages = [Stage(0, self.epochs, self.learning_rate, 0.5, self.not_digits, letters=0)]
        if self.finishing_epochs:
            others = min(0.5, self.not_digits * FINISHING_NOT_DIGITS)
            rate = self.learning_rate * FINISHING_RATE
            for number in range(FINISHING_ROUNDS):
                first = self.epochs + number * self.finishing_epochs
                stages.append(
                    Stage(
                        first,
                        self.finishing_epochs,
                        rate,
                        FINISHING_LIGHTLY,
                        others,
                        FINISHING_LETTERS,
                    )
                )
        return stages

    def as_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Score:
    """How well a model reads a dataset: the mean cross-entropy and the share read right."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Stage:
    """A part of a training: epochs with one rise and fall of the learning rate.

    lightly: the share of digits that are hardly distorted.
    not_digits: the share of each batch that is no digit.
    letters: the share of those that are built as letters are.
    """

    first_epoch: int
    epochs: int
    learning_rate: float
    lightly: float
    not_digits: float
    letters: float


def to_input(images: np.ndarray) -> np.ndarray:
    """Turn uint8 images of shape (n, 28, 28) into the networks' float32 input (n, 28, 28, 1)."""
    return np.asarray(images, np.float32)[..., None] / np.float32(255)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Give the targets of labels 0 to 10 (10 is "not a digit"): float32, shape (n, 11)."""
    return np.eye(networks.CLASSES, dtype=np.float32)[labels]


class AugmentedDigits(keras.utils.PyDataset):
    """Batches of distorted digits and of things that are no digits.

    The same seed, epoch and batch give the same pixels.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        stage: Stage,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stage = stage
        self.dataset = dataset
        self.recipe = recipe
        others = round(recipe.batch_size * stage.not_digits)
        self.digits = max(1, recipe.batch_size - others)
        self.epoch = stage.first_epoch
        self.order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.digits)

    def __getitem__(self, index: int):
        rows = self.order[index * self.digits : (index + 1) * self.digits]
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        digits, labels = self.dataset.images[rows], self.dataset.labels[rows]
        images = [
            distort(image, int(label), rng, self.stage.lightly)
            for image, label in zip(digits, labels, strict=True)
        ]
        others = self.recipe.batch_size - self.digits
        images += [not_a_digit(digits, labels, rng, self.stage.letters) for _ in range(others)]
        labels = np.concatenate([labels, np.full(others, networks.NOT_A_DIGIT)])
        return to_input(np.stack(images)), one_hot(labels)

    def on_epoch_end(self):
        self.epoch += 1
        self.order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        rng = np.random.default_rng((self.recipe.seed, self.epoch))
        return rng.permutation(len(self.dataset))


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
    precision = devices.fast_precision() if recipe.precision == "auto" else recipe.precision
    model = networks.build(recipe.architecture, precision)
    for stage in recipe.stages:
        batches = AugmentedDigits(dataset, recipe, stage)
        _fit(model, batches, validation, on_epoch)
    trained = networks.build(recipe.architecture)  # without the optimizer's state
    trained.set_weights(model.get_weights())
    calibrate(trained, batches)
    return trained


def _fit(model, batches: AugmentedDigits, validation, on_epoch):
    """Train a model through one stage."""
    recipe, stage = batches.recipe, batches.stage
    steps = len(batches) * stage.epochs
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                stage.learning_rate / 10,
                steps,
                warmup_target=stage.learning_rate,
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
                on_epoch_end=lambda epoch, logs: on_epoch(
                    stage.first_epoch + epoch + 1, dict(logs or {})
                )
            )
        )
    held_out = None
    if validation is not None:
        held_out = to_input(validation.images), one_hot(validation.labels)
    model.fit(
        batches,
        epochs=stage.epochs,
        validation_data=held_out,
        validation_batch_size=EVALUATION_BATCH,
        callbacks=callbacks,
        verbose=0,
    )


def calibrate(model: keras.Model, batches: AugmentedDigits) -> tuple[float, float]:
    """Make the model as sure as it is right, on digits drawn anew.

    In training far more is no digit than among what people send: the logit of "not a digit" is
    lowered by as much. Then a temperature is found for all logits. Both are folded into the last
    layer, so that a model file holds all there is.

    Returns:
        The temperature, and by how much the logit of "not a digit" was lowered before it.

    Source: Guo et al., "On calibration of modern neural networks" (2017), for the temperature;
    Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori
    probabilities" (2002).
    """
    fresh = [batches[index] for index in range(min(CALIBRATION_BATCHES, len(batches)))]
    images, targets = (np.concatenate(parts) for parts in zip(*fresh, strict=True))
    logits = np.log(np.clip(model.predict(images, EVALUATION_BATCH, verbose=0), 1e-12, 1))
    others = targets[:, networks.NOT_A_DIGIT] == 1
    seen, expected = float(others.mean()), EXPECTED_NOT_DIGITS
    lowered = math.log(seen / (1 - seen) * (1 - expected) / expected) if seen > expected else 0.0
    logits[:, networks.NOT_A_DIGIT] -= lowered
    weights = np.where(others, math.exp(-lowered), 1.0)

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        losses = np.log(np.exp(scaled).sum(axis=1)) - (scaled * targets).sum(axis=1)
        return float(np.average(losses, weights=weights))

    temperature = float(min(np.geomspace(0.25, 4, 161), key=loss))
    layer = model.get_layer(networks.LAST_LAYER)
    kernel, bias = layer.get_weights()
    bias[networks.NOT_A_DIGIT] -= lowered
    layer.set_weights([kernel / temperature, bias / temperature])
    return temperature, lowered


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
        measure(model)
        | {"recipe": recipe.as_dict(), "epochs": epochs, "training_seconds": round(seconds)},
        output,
    )


def measure(model: keras.Model) -> dict:
    """Give a model's figures: its size, and how it reads MNIST's test set."""
    from worker.engine import Engine

    return {
        "architecture": model.name,
        "parameters": model.count_params(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "evaluation": {
            name: evaluation.figures(answers)
            for name, answers in evaluation.answers_of_mnist(Engine.of(model)).items()
        },
    }
