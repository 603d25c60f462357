"""Train the verifier: which parts of cut shapes are one whole digit."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras

from worker.metrics import Epoch, VerifierFacts, VerifierTraining
from worker.reading import devices
from worker.reading.bundle import write_verifier
from worker.training import networks
from worker.training.minibatches import SoftLabelled
from worker.training.optimizers import adamw
from worker.training.recipes import VerifierRecipe
from worker.training.verifier_data import make_parts


def train_verifier(
    recipe: VerifierRecipe, on_epoch: Callable[[int, Epoch], None] | None = None
) -> keras.Model:
    """Train a verifier on strings of MNIST's training images.

    Args:
        recipe: the settings; the same settings make the same parts in the same order.
        on_epoch: called after each epoch with its number (from 1) and its figures.
    """
    keras.utils.set_random_seed(recipe.seed)
    seen, targets = make_parts(recipe.parts, recipe.seed)
    batches = SoftLabelled(seen, targets, recipe.seed)
    model = networks.verifier(devices.fast_precision())
    model.compile(
        optimizer=adamw(recipe.learning_rate, len(batches) * recipe.epochs, weight_decay=1e-2),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    reporter = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch and on_epoch(epoch + 1, logs or {})
    )
    model.fit(batches, epochs=recipe.epochs, callbacks=[reporter], verbose=0)
    trained = networks.verifier()  # without the optimizer's state
    trained.set_weights(model.get_weights())
    return trained


def make_verifier(
    recipe: VerifierRecipe, output: Path, on_epoch: Callable[[int, Epoch], None] | None = None
) -> VerifierFacts:
    """Train a verifier and write verifier.keras, and verifier.json with how it was made.

    Returns:
        What verifier.json holds.
    """
    epochs: list[Epoch] = []
    started = time.monotonic()

    def keep(epoch: int, figures: Epoch) -> None:
        epochs.append({name: round(float(value), 5) for name, value in figures.items()})
        if on_epoch:
            on_epoch(epoch, epochs[-1])

    model = train_verifier(recipe, keep)
    facts: VerifierTraining = {
        "parameters": model.count_params(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        **devices.backend_version(),
        "recipe": asdict(recipe),
        "epochs": epochs,
        "training_seconds": round(time.monotonic() - started),
    }
    return write_verifier(model, facts, output)
