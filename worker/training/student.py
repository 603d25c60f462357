"""Distil a student: a small network that reads most digits as the model does, and far faster."""

import math
from collections.abc import Callable

import keras
import numpy as np

from worker.arrays import Pixels, Probabilities
from worker.files.datasets import Dataset
from worker.reading import devices
from worker.training import networks
from worker.training.minibatches import AugmentedDigits, SoftLabelled
from worker.training.optimizers import adamw
from worker.training.recipes import Recipe

PASSES = 4  # over the images: to make one takes longer than to learn from it four times
LEARNING_RATE, FURTHER_RATE = 4e-3, 1e-3  # of a new student, and of one that goes on
UNSEEN = 10_000  # the first epoch whose images are made for students; the model has not seen them
OnStep = Callable[[int, int], None]


def distil(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    *,
    corrections: Dataset | None = None,
    start: keras.Model | None = None,
    on_step: OnStep | None = None,
) -> keras.Model | None:
    """Train a student to read as a model does.

    It learns from images like those that the model is trained on, distorted anew, and from the
    probabilities that an engine reads from them with the model alone; not from labels.

    Args:
        model: the teacher.
        dataset: the images to make others of.
        recipe: the settings of the model's training; they say how many images are made.
        corrections: more images, shown more often.
        start: the student to go on from. By default a new one is trained.
        on_step: called after each step with its number (from 1) and how many there are; an
            exception from it ends the training.

    Returns:
        The student, or None where the recipe has none.

    Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015).
    """
    if not recipe.has_student:
        return None
    keras.utils.set_random_seed(recipe.seed)
    with devices.training_scope():
        epochs = _epochs(dataset, recipe, corrections)
        steps = _Steps(epochs, on_step)
        lesson = SoftLabelled(*_lesson(model, epochs, steps), recipe.seed)
        student = networks.student()
        if start is not None:
            student.set_weights(start.get_weights())
        rate = LEARNING_RATE if start is None else FURTHER_RATE
        student.compile(
            optimizer=adamw(rate, len(lesson) * PASSES, recipe.weight_decay),
            loss="categorical_crossentropy",
        )
        reporter = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.add())
        student.fit(lesson, epochs=PASSES, callbacks=[reporter], verbose=0)
    trained = networks.student()  # without the optimizer's state
    trained.set_weights(student.get_weights())
    return trained


def _epochs(dataset: Dataset, recipe: Recipe, corrections: Dataset | None) -> list[AugmentedDigits]:
    """Return epochs of images that the model was not trained on, by turns as in its stages."""
    epochs = []
    for number in range(recipe.student_epochs):
        stage = recipe.stages[number % len(recipe.stages)]
        batches = AugmentedDigits(dataset, recipe, stage, corrections)
        batches.go_to(UNSEEN + number)
        epochs.append(batches)
    return epochs


class _Steps:
    """Counts the steps: batches that are made, and then batches that are learned from."""

    def __init__(self, epochs: list[AugmentedDigits], on_step: OnStep | None) -> None:
        making = sum(len(batches) for batches in epochs)
        images = sum(
            len(batches.order) + len(batches) * (batches.others + batches.cuttings)
            for batches in epochs
        )
        self.all = making + math.ceil(images / SoftLabelled.SIZE) * PASSES
        self.done, self.on_step = 0, on_step

    def add(self) -> None:
        self.done = min(self.done + 1, self.all)
        if self.on_step:
            self.on_step(self.done, self.all)


def _lesson(
    model: keras.Model, epochs: list[AugmentedDigits], steps: _Steps
) -> tuple[Pixels, Probabilities]:
    """Return images, uint8, shape (n, 28, 28, 1), and the model's probabilities, shape (n, 11)."""
    from worker.reading.engine import Engine

    engine = Engine.from_model(model)
    images, targets = [], []
    for batches in epochs:
        for index in range(len(batches)):
            made = np.rint(batches[index][0] * np.float32(255)).astype(np.uint8)
            images.append(made)
            targets.append(engine.predict(made))
            steps.add()
    return np.concatenate(images), np.concatenate(targets)
