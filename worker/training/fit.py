"""Train a network on labelled digits: augment, fit, evaluate."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import keras
import numpy as np

from worker.arrays import Probabilities
from worker.evaluation import scoring
from worker.files.datasets import Dataset, load_mnist
from worker.metrics import Epoch, Measurement, Metrics
from worker.reading import devices
from worker.reading.bundle import ModelError, training_facts, write_bundle
from worker.training import networks
from worker.training.calibration import calibrate
from worker.training.fine_tuning import DistillationBatches, train_in_inference_mode
from worker.training.minibatches import EVALUATION_BATCH, AugmentedDigits, one_hot, to_input
from worker.training.optimizers import adamw
from worker.training.recipes import Recipe
from worker.training.student import OnStep, distil

if TYPE_CHECKING:
    from worker.reading.engine import Engine


@dataclass(frozen=True)
class Score:
    """How well a model reads a dataset: the mean cross-entropy and the share read right."""

    loss: float
    accuracy: float


class Checkpoints:
    """Weights and optimizer as they were after the last finished epoch, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, model: keras.Model, epoch: int) -> None:
        """Write the state after this many epochs, whole or not at all."""
        draft = self.folder / "draft.keras"
        model.save(draft)
        os.replace(draft, self.folder / f"epoch-{epoch:05d}.keras")
        for _, path in self._saved()[:-1]:
            path.unlink(missing_ok=True)

    def load(self) -> tuple[int, keras.Model | None]:
        """Return the number of finished epochs, and the model after them; (0, None) for none."""
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
    """Callbacks of a training; each may be left out.

    on_step: called after each step with the epoch (from 0), the step (from 1) and how many steps
        an epoch has.
    on_epoch: called after each epoch with its number (from 1) and its figures (loss, accuracy, and
        val_loss and val_accuracy where there is validation data).
    """

    on_step: Callable[[int, int, int], None] | None = None
    on_epoch: Callable[[int, Epoch], None] | None = None

    def in_last_epoch(self, recipe: Recipe) -> OnStep | None:
        """Return on_step for the steps of a student: as an epoch after those of the model."""
        return self.on_step and partial(self.on_step, recipe.all_epochs)


def train(
    dataset: Dataset,
    recipe: Recipe | None = None,
    validation: Dataset | None = None,
    progress: Progress | None = None,
    *,
    corrections: Dataset | None = None,
    start: keras.Model | None = None,
    distill: bool = True,
    checkpoints: Checkpoints | None = None,
) -> keras.Model:
    """Train a network.

    Args:
        dataset: the images to train on.
        recipe: the settings; the default makes the model that ships.
        validation: the images to measure after each epoch.
        progress: callbacks; an exception from one of them ends the training.
        corrections: more images, shown more often; labels 0 to 10 (10 is "not a digit").
        start: the model to go on from. By default a new one is trained.
        distill: whether images that are not corrections are to be read as `start` reads them
            (fine-tuning), or are trained on with their labels.
        checkpoints: where each epoch's state is kept; the training resumes from a state there.

    Returns:
        The trained Keras model, calibrated; a fine-tuned one keeps the calibration of `start`.
    """
    recipe = recipe or Recipe()
    if not len(dataset):
        raise ValueError("expected at least one image to train on, received none")
    keras.utils.set_random_seed(recipe.seed)
    with devices.training_scope():
        done, model = checkpoints.load() if checkpoints else (0, None)
        teacher = _network(recipe, start) if start is not None and distill else None
        model = model or _new_model(recipe, start, fine_tunes=teacher is not None)
        for stage in recipe.stages:
            if teacher is not None:
                batches = DistillationBatches(dataset, recipe, stage, corrections, teacher=teacher)
            else:
                batches = AugmentedDigits(dataset, recipe, stage, corrections)
            _fit(model, batches, done, validation, progress or Progress(), checkpoints)
    trained = networks.build(recipe.architecture)  # without the optimizer's state
    trained.set_weights(model.get_weights())
    if teacher is None:
        calibrate(trained, batches)
    return trained


def _new_model(recipe: Recipe, start: keras.Model | None, *, fine_tunes: bool) -> keras.Model:
    network = _network(recipe, start)
    if fine_tunes:
        train_in_inference_mode(network)
    return network


def _network(recipe: Recipe, start: keras.Model | None) -> keras.Model:
    """Build the network that the recipe names, with the weights of `start` where it is given."""
    precision = devices.fast_precision() if recipe.precision == "auto" else recipe.precision
    network = networks.build(recipe.architecture, precision)
    if start is not None:
        network.set_weights(start.get_weights())
    return network


def _fit(
    model: keras.Model,
    batches: AugmentedDigits,
    done: int,
    validation: Dataset | None,
    progress: Progress,
    checkpoints: Checkpoints | None,
) -> None:
    """Train a model for the rest of one stage, after `done` epochs of all stages."""
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


def _compile(model: keras.Model, batches: AugmentedDigits) -> None:
    recipe, stage = batches.recipe, batches.stage
    steps = len(batches) * stage.epochs
    model.compile(
        optimizer=adamw(stage.learning_rate, steps, recipe.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )


def _callbacks(
    model: keras.Model,
    batches: AugmentedDigits,
    progress: Progress,
    checkpoints: Checkpoints | None,
) -> list[keras.callbacks.Callback]:
    first, steps = batches.stage.first_epoch, len(batches)
    epoch_now = batches.epoch

    def on_step(step: int, logs: Epoch | None) -> None:
        if progress.on_step:
            progress.on_step(epoch_now, step + 1, steps)

    def on_epoch(epoch: int, logs: Epoch | None) -> None:
        nonlocal epoch_now
        number = epoch_now = first + epoch + 1
        if checkpoints:
            checkpoints.save(model, number)
        if progress.on_epoch:
            progress.on_epoch(number, {name: float(value) for name, value in (logs or {}).items()})

    reporter = keras.callbacks.LambdaCallback(
        on_epoch_end=on_epoch, on_train_batch_end=on_step if progress.on_step else None
    )
    return [reporter]


def evaluate(engine: "Engine", dataset: Dataset) -> Score:
    """Measure how well an engine reads labelled digits."""
    probabilities = engine.predict(dataset.images)
    chosen = probabilities[np.arange(len(dataset)), dataset.labels]
    return Score(
        loss=float(-np.log(np.clip(chosen, 1e-7, 1)).mean()),
        accuracy=float((probabilities.argmax(axis=1) == dataset.labels).mean()),
    )


def train_on_mnist(
    recipe: Recipe, output: Path, progress: Progress | None = None, start: Path | None = None
) -> Metrics:
    """Train on MNIST's training images and write the model with its metrics to a folder.

    Args:
        recipe: the settings.
        output: the folder for digits.keras and metrics.json.
        progress: callbacks.
        start: the model file to go on from; by default a new network.

    Returns:
        The metrics, as metrics.json holds them.

    Raises:
        ModelError: the file to go on from is missing, damaged, or of another architecture.
    """
    from worker.reading.keras_models import load_model

    model = load_model(start) if start else None
    if model is not None and model.name != recipe.architecture:
        raise ModelError(f"expected a model of {recipe.architecture}, {start} is of {model.name}")
    before = training_facts(start) if start else None
    started = time.monotonic()
    test = load_mnist("test")
    epochs: list[Epoch] = []
    progress = progress or Progress()

    def keep(epoch: int, figures: Epoch) -> None:
        epochs.append({name: round(float(value), 5) for name, value in figures.items()})
        if progress.on_epoch:
            progress.on_epoch(epoch, figures)

    reported = Progress(progress.on_step, keep)
    mnist = load_mnist("train")
    model = train(mnist, recipe, test, reported, start=model, distill=False)
    student = distil(model, mnist, recipe, on_step=progress.in_last_epoch(recipe))
    seconds = round(time.monotonic() - started)
    metrics = cast("Metrics", measure(model, student))  # the rest of what Metrics may hold follows
    metrics["recipe"] = recipe.as_dict()
    metrics["epochs"] = epochs
    metrics["training_seconds"] = seconds
    if before:
        metrics["start"] = before
    return write_bundle(model, metrics, output, student)


def give_student(
    recipe: Recipe, output: Path, start: Path, progress: Progress | None = None
) -> Metrics:
    """Distil a student of a model, and write the model with it to a folder, as train_on_mnist.

    Args:
        recipe: the settings of a training; those of the student count.
        output: the folder for digits.keras and metrics.json.
        start: the model's file.
        progress: callbacks.

    Returns:
        The metrics, with what the metrics.json beside the file tells of the model's training.

    Raises:
        ModelError: the file is missing or damaged, or the recipe asks for no student.
    """
    from worker.reading.keras_models import load_model

    model, before = load_model(start), training_facts(start)
    started = time.monotonic()
    on_step = (progress or Progress()).in_last_epoch(recipe)
    student = distil(model, load_mnist("train"), recipe, on_step=on_step)
    if student is None:
        raise ModelError("expected a recipe with a student, received one without")
    seconds = round(time.monotonic() - started)
    metrics = cast("Metrics", measure(model, student))  # the rest of what Metrics may hold follows
    metrics["student"]["recipe"] = recipe.as_dict()
    metrics["student"]["training_seconds"] = seconds
    for name in ("recipe", "epochs", "training_seconds", "start"):
        if name in before:
            metrics[name] = before[name]
    return write_bundle(model, metrics, output, student)


def measure(
    model: keras.Model, student: keras.Model | None = None, read: Probabilities | None = None
) -> Measurement:
    """Return a model's figures: its size, and how well it reads MNIST's test set.

    student: its student, if it has one.
    read: the probabilities of its engine for MNIST's test images, if they are known.
    """
    from worker.reading.engine import Engine

    engine = Engine.from_model(model, student)
    answers = scoring.answers_of_mnist(engine, read=read)
    figures = {name: scoring.figures(given) for name, given in answers.items()}
    measured: Measurement = {
        "architecture": model.name,
        "parameters": model.count_params(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "evaluation": figures,
    }
    measured |= devices.backend_version()  # type: ignore[typeddict-item]  # all of its keys are known
    if student is not None:
        alone = engine.are_sure(load_mnist("test").images).mean()
        measured["student"] = {"parameters": student.count_params(), "alone": round(alone, 4)}
    return measured
