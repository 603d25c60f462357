"""Train a network on labelled digits: augment, fit, evaluate."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from worker import devices, evaluation, networks
from worker.augmentation import distort
from worker.bundle import write_bundle
from worker.cuttings import pieces_of_strings
from worker.datasets import Dataset, load_mnist
from worker.negatives import not_a_digit
from worker.recipes import Recipe, Stage

EVALUATION_BATCH = 256
CALIBRATION_BATCHES = 64
EXPECTED_NOT_DIGITS = 0.08  # of what is found in people's images


@dataclass(frozen=True)
class Score:
    """How well a model reads a dataset: the mean cross-entropy and the share read right."""

    loss: float
    accuracy: float


def to_input(images: np.ndarray) -> np.ndarray:
    """Turn uint8 images of shape (n, 28, 28) into the networks' float32 input (n, 28, 28, 1)."""
    return np.asarray(images, np.float32)[..., None] / np.float32(255)


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Give the targets of labels 0 to 10 (10 is "not a digit"): float32, shape (n, 11)."""
    return np.eye(networks.CLASSES, dtype=np.float32)[labels]


class AugmentedDigits(keras.utils.PyDataset):
    """Batches of distorted digits, of things that are no digits, and of what is cut from strings.

    An epoch shows all of the dataset, or some of it, and each correction several times. The same
    seed, epoch and batch give the same pixels.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        stage: Stage,
        corrections: Dataset | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.stage = stage
        self.dataset = joined(dataset, corrections) if corrections else dataset
        self.plain = len(dataset)
        self.recipe = recipe
        self.others = round(recipe.batch_size * recipe.not_digits)
        self.cuttings = round(recipe.batch_size * recipe.cuttings)
        self.digits = max(1, recipe.batch_size - self.others - self.cuttings)
        self.go_to(stage.first_epoch)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.digits)

    def __getitem__(self, index: int):
        rows = self.order[index * self.digits : (index + 1) * self.digits]
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        digits, labels = self.dataset.images[rows], self.dataset.labels[rows]
        images = [
            distort(image, int(label), rng, self.stage.hardly, self.stage.lightly)
            for image, label in zip(digits, labels, strict=True)
        ]
        images += [not_a_digit(digits, labels, rng) for _ in range(self.others)]
        others = [networks.NOT_A_DIGIT] * self.others
        parts, said = self._cuttings(digits, labels, rng)
        return to_input(np.stack(images + parts)), one_hot([*labels, *others, *said])

    def _cuttings(self, digits, labels, rng):
        """Give parts of strings made of those of these images that are digits, and their labels."""
        rows = np.flatnonzero(labels != networks.NOT_A_DIGIT)
        if not rows.size:
            return [], []
        return pieces_of_strings(
            digits[rows], labels[rows], self.cuttings, networks.NOT_A_DIGIT, rng
        )

    def on_epoch_end(self):
        self.go_to(self.epoch + 1)

    def go_to(self, epoch: int):
        """Show what this epoch, counted from 0, shows."""
        self.epoch = epoch
        rng = np.random.default_rng((self.recipe.seed, epoch))
        rows = rng.permutation(self.plain)
        if self.recipe.images_per_epoch:
            rows = rows[: self.recipe.images_per_epoch]
        corrected = np.arange(self.plain, len(self.dataset))
        if corrected.size:
            most = max(1, len(rows) // corrected.size)  # half of what is shown, at most
            corrected = np.tile(corrected, min(self.recipe.correction_weight, most))
            rows = rng.permutation(np.concatenate([rows, corrected]))
        self.order = rows


def joined(*datasets: Dataset) -> Dataset:
    """Give the images of several datasets as one."""
    images = np.concatenate([one.images for one in datasets])
    return Dataset(images, np.concatenate([one.labels for one in datasets]))


class Checkpoints:
    """Weights and optimizer as they were after the last finished epoch, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, model: keras.Model, epoch: int):
        """Write the state after this many epochs, whole or not at all."""
        draft = self.folder / "draft.keras"
        model.save(draft)
        os.replace(draft, self.folder / f"epoch-{epoch:05d}.keras")
        for _, path in self._saved()[:-1]:
            path.unlink(missing_ok=True)

    def load(self) -> tuple[int, keras.Model | None]:
        """Give how many epochs are finished, and the model as it was then; (0, None) for none."""
        for epoch, path in reversed(self._saved()):
            try:
                return epoch, keras.saving.load_model(path, safe_mode=True)
            except Exception:  # Keras raises many kinds for a damaged file
                path.unlink(missing_ok=True)
        return 0, None

    def _saved(self) -> list[tuple[int, Path]]:
        return sorted((int(p.stem.split("-")[1]), p) for p in self.folder.glob("epoch-*.keras"))


@dataclass
class Progress:
    """What a training tells while it goes on; each may be left out.

    on_step: called after each step with the epoch (from 0), the step (from 1) and how many steps
        an epoch has.
    on_epoch: called after each epoch with its number (from 1) and its figures (loss, accuracy, and
        val_loss and val_accuracy where there is validation data).
    """

    on_step: Callable[[int, int, int], None] | None = None
    on_epoch: Callable[[int, dict], None] | None = None


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
    validation: Dataset | None = None,
    progress: Progress | None = None,
    *,
    corrections: Dataset | None = None,
    start: keras.Model | None = None,
    checkpoints: Checkpoints | None = None,
) -> keras.Model:
    """Train a network.

    Args:
        dataset: what to learn.
        recipe: the settings; the default makes the model that ships.
        validation: what to measure after each epoch.
        progress: whom to tell; what these calls raise ends the training.
        corrections: more to learn, shown more often; labels 0 to 10 (10 is "not a digit").
        start: the model to go on from; by default a new one.
        checkpoints: where each epoch's state is kept; a state found there is gone on from.

    Returns:
        The trained Keras model, calibrated.
    """
    recipe = recipe or Recipe()
    if not len(dataset):
        raise ValueError("expected at least one image to train on, received none")
    keras.utils.set_random_seed(recipe.seed)
    with devices.training_scope():
        done, model = checkpoints.load() if checkpoints else (0, None)
        model = model or _new_model(recipe, start)
        for stage in recipe.stages:
            batches = AugmentedDigits(dataset, recipe, stage, corrections)
            _fit(model, batches, done, validation, progress or Progress(), checkpoints)
    trained = networks.build(recipe.architecture)  # without the optimizer's state
    trained.set_weights(model.get_weights())
    calibrate(trained, batches)
    return trained


def _new_model(recipe: Recipe, start: keras.Model | None) -> keras.Model:
    precision = devices.fast_precision() if recipe.precision == "auto" else recipe.precision
    model = networks.build(recipe.architecture, precision)
    if start is not None:
        model.set_weights(start.get_weights())
    return model


def _fit(model, batches: AugmentedDigits, done: int, validation, progress: Progress, checkpoints):
    """Train a model through what is left of one stage, where `done` epochs of all are finished."""
    stage = batches.stage
    finished = min(max(done - stage.first_epoch, 0), stage.epochs)
    if finished == stage.epochs:
        return
    if finished:
        batches.go_to(stage.first_epoch + finished)
    else:
        _compile(model, batches)
    held_out = None
    if validation is not None:
        held_out = to_input(validation.images), one_hot(validation.labels)
    model.fit(
        batches,
        initial_epoch=finished,
        epochs=stage.epochs,
        validation_data=held_out,
        validation_batch_size=EVALUATION_BATCH,
        callbacks=_callbacks(model, batches, progress, checkpoints),
        verbose=0,
    )


def _compile(model, batches: AugmentedDigits):
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


def _callbacks(model, batches: AugmentedDigits, progress: Progress, checkpoints) -> list:
    first, steps = batches.stage.first_epoch, len(batches)
    epoch_now = batches.epoch

    def on_step(step: int, logs):
        progress.on_step(epoch_now, step + 1, steps)

    def on_epoch(epoch: int, logs):
        nonlocal epoch_now
        number = epoch_now = first + epoch + 1
        if checkpoints:
            checkpoints.save(model, number)
        if progress.on_epoch:
            progress.on_epoch(number, {name: float(value) for name, value in (logs or {}).items()})

    told = keras.callbacks.LambdaCallback(
        on_epoch_end=on_epoch, on_train_batch_end=on_step if progress.on_step else None
    )
    return [told]


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


def train_on_mnist(recipe: Recipe, output: Path, progress: Progress | None = None) -> dict:
    """Train on MNIST's training images and write the model with its metrics to a folder.

    Args:
        recipe: the settings.
        output: the folder for digits.keras and metrics.json.
        progress: whom to tell.

    Returns:
        The metrics, as metrics.json holds them.
    """
    started = time.monotonic()
    test, epochs = load_mnist("test"), []
    progress = progress or Progress()

    def keep(epoch: int, figures: dict):
        epochs.append({name: round(float(value), 5) for name, value in figures.items()})
        if progress.on_epoch:
            progress.on_epoch(epoch, figures)

    model = train(load_mnist("train"), recipe, test, Progress(progress.on_step, keep))
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
        **devices.backend_version(),
        "evaluation": {
            name: evaluation.figures(answers)
            for name, answers in evaluation.answers_of_mnist(Engine.of(model)).items()
        },
    }
