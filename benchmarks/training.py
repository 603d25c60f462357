"""What an epoch takes beside the bare arithmetic of its network: `python -m benchmarks.training`.

The network that ships is trained for an epoch as a training does it, where each batch is distorted
anew, and for an epoch of the same batches made beforehand; by turns. The ratio says how much of a
training is spent on making its images. The student's share is measured as well: what it takes to
distil one from as many images.
"""

import argparse
import json
import statistics
import time

from worker.reading import devices

devices.pin(0, [])
devices.load_backend()

import keras  # noqa: E402  # after its backend was chosen

from worker.files.datasets import load_mnist  # noqa: E402
from worker.training import networks  # noqa: E402
from worker.training.minibatches import AugmentedDigits  # noqa: E402
from worker.training.optimizers import adamw  # noqa: E402
from worker.training.recipes import Recipe  # noqa: E402
from worker.training.student import distil  # noqa: E402

IMAGES, ROUNDS = 6000, 3


def measure(images: int, rounds: int) -> dict[str, float]:
    """Return the seconds of an epoch of so many of MNIST's images, medians, and their ratio."""
    recipe = Recipe(images_per_epoch=images, student_epochs=1)
    batches = AugmentedDigits(load_mnist("train"), recipe, recipe.stages[0])
    made = _Made([batches[index] for index in range(len(batches))])
    model = networks.build(recipe.architecture, devices.fast_precision())
    steps = len(batches) * (2 * rounds + 1)
    model.compile(
        optimizer=adamw(recipe.learning_rate, steps, 0.0), loss="categorical_crossentropy"
    )
    model.fit(made, verbose=0)  # compiles it
    bare, whole = [], []
    for _ in range(rounds):
        bare.append(_seconds(model, made))
        whole.append(_seconds(model, batches))
    started = time.monotonic()
    distil(model, load_mnist("train"), recipe)
    student = time.monotonic() - started
    return {
        "steps": len(batches),
        "epoch": round(statistics.median(whole), 2),
        "arithmetic": round(statistics.median(bare), 2),
        "epoch_of_arithmetic": round(statistics.median(whole) / statistics.median(bare), 2),
        "student": round(student, 2),
    }


class _Made(keras.utils.PyDataset):
    """Batches that were made beforehand."""

    def __init__(self, batches: list):
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int):
        return self.batches[index]


def _seconds(model: keras.Model, batches: keras.utils.PyDataset) -> float:
    started = time.monotonic()
    model.fit(batches, verbose=0)
    return time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print(json.dumps(measure(options.images, options.rounds), indent=2))


if __name__ == "__main__":
    main()
