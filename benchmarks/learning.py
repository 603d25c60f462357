"""How fast a style that the model misreads is learned: `python -m benchmarks.learning`.

200 digits of MNIST's training set are drawn in the style and corrected; the shipped model is
fine-tuned on them with the recipe that "Retrain" uses, and reads 200 unseen ones.
"""

import argparse
import json
import time
from functools import partial

import cv2
import numpy as np

from worker.files.datasets import Dataset, load_mnist
from worker.reading import devices
from worker.training.recipes import Recipe

CORRECTED, UNSEEN = 200, 200


def slanted(images: np.ndarray, labels: np.ndarray, degrees: float = 50) -> Dataset:
    """Slant digits by so many degrees to the right."""
    from worker.images.finding import normalize

    slope = np.tan(np.radians(degrees))
    matrix = np.array([[1, -slope, 14 * slope + 28], [0, 1, 0]], np.float32)
    drawn = [normalize(cv2.warpAffine(image, matrix, (84, 28))) for image in images]
    return Dataset(np.stack(drawn), labels)


def mirrored(images: np.ndarray, labels: np.ndarray, digit: int) -> Dataset:
    """Mirror one of the ten digits."""
    wanted = labels == digit
    return Dataset(np.ascontiguousarray(images[wanted][:, :, ::-1]), labels[wanted])


def slashed_zeros(images: np.ndarray, labels: np.ndarray) -> Dataset:
    """Strike the 0s through, from below on the left to above on the right."""
    zeros = images[labels == 0].copy()
    for zero in zeros:
        rows, columns = np.flatnonzero(zero.any(axis=1)), np.flatnonzero(zero.any(axis=0))
        ends = (int(columns[0]), int(rows[-1])), (int(columns[-1]), int(rows[0]))
        cv2.line(zero, *ends, 255, 2, cv2.LINE_AA)
    return Dataset(zeros, labels[labels == 0])


STYLES = {
    "slanted": slanted,
    "mirrored-7": partial(mirrored, digit=7),
    "mirrored-4": partial(mirrored, digit=4),
    "slashed-0": slashed_zeros,
}


def measure(style: str, changes: dict) -> dict:
    """Fine-tune on one style; give the shares read right before and after, and the seconds."""
    from worker.reading.engine import BUNDLED_MODEL, Engine
    from worker.reading.keras_models import load_model, load_student
    from worker.training.fit import train
    from worker.training.student import distil

    mnist, test = load_mnist("train"), load_mnist("test")
    drawn = STYLES[style](mnist.images[:4000], mnist.labels[:4000])
    recipe = Recipe.fine_tuning(**changes)
    rows = np.random.default_rng(recipe.seed).permutation(len(drawn))
    known, unseen = rows[:CORRECTED], rows[CORRECTED : CORRECTED + UNSEEN]
    corrections = Dataset(drawn.images[known], drawn.labels[known])
    # What is unseen is unseen: neither its drawing nor the digit that it was drawn from.
    rest = Dataset(mnist.images[4000:], mnist.labels[4000:])

    def right(engine, dataset, rows=None) -> float:
        chosen = slice(None) if rows is None else rows
        read = engine.predict(dataset.images[chosen]).argmax(axis=1)
        return round(float((read == dataset.labels[chosen]).mean()), 5)

    start, student = load_model(BUNDLED_MODEL), load_student(BUNDLED_MODEL)
    before = Engine.from_model(start, student)
    started = time.monotonic()
    tuned = train(rest, recipe, corrections=corrections, start=start)
    of_model = time.monotonic() - started
    student = distil(tuned, rest, recipe, corrections=corrections, start=student)
    of_both = time.monotonic() - started
    alone, after = Engine.from_model(tuned), Engine.from_model(tuned, student)
    return {
        "style": style,
        "before": right(before, drawn, unseen),
        "after": right(after, drawn, unseen),
        "after_without_student": right(alone, drawn, unseen),
        "mnist_before": right(before, test),
        "mnist_after": right(after, test),
        "mnist_after_without_student": right(alone, test),
        "read_by_the_student": round(float(after.are_sure(test.images).mean()), 4),
        "seconds_of_the_model": round(of_model, 1),
        "seconds": round(of_both, 1),
        "recipe": recipe.as_dict(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("styles", nargs="*", metavar="STYLE", help=", ".join(STYLES))
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the recipe")
    options = parser.parse_args()
    if unknown := set(options.styles) - set(STYLES):
        parser.error(f"expected {', '.join(STYLES)}, received {', '.join(sorted(unknown))}")
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in options.set)}
    devices.pin(0, [])
    devices.load_backend()
    for style in options.styles or STYLES:
        print(json.dumps(measure(style, changes)), flush=True)


if __name__ == "__main__":
    main()
