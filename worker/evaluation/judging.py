"""Judge a candidate against the active model: how well both read the same images."""

import base64
from typing import TYPE_CHECKING

import numpy as np

from worker.arrays import Labels, Probabilities
from worker.files.datasets import Dataset, load_mnist
from worker.metrics import Disagreement, Report, Scores, SetScores

if TYPE_CHECKING:
    from worker.reading.engine import Engine

WORST = 24  # images that a report shows
TOLERANCE = 0.0005  # of MNIST's accuracy that a better reading of corrections may cost


def judge(
    candidate: "Engine",
    active: "Engine | None",
    held_out: Dataset,
    mnist: Probabilities | None = None,
) -> Report:
    """Measure a candidate and the active model on MNIST's test set and held-out corrections.

    Args:
        candidate, active: engines; active may be None.
        held_out: corrections that neither learned from.
        mnist: the candidate's probabilities for MNIST's test images, if they are known.

    Returns:
        The report that the page of a version shows: accuracy and loss of both on each set, the
        candidate's confusion matrix and accuracy per digit on MNIST, and the images whose reading
        differs from their label, the surest first.
    """
    test = load_mnist("test")
    sets: dict[str, SetScores] = {}
    read: dict[str, tuple[Probabilities, Probabilities | None]] = {}
    for name, dataset in (("mnist", test), ("corrections", held_out)):
        known = mnist if name == "mnist" else None
        own = candidate.predict(dataset.images) if known is None else known
        other = active.predict(dataset.images) if active else None
        read[name] = own, other
        scores = _scores(own, dataset.labels)
        sets[name] = {
            "images": len(dataset),
            "accuracy": scores["accuracy"],
            "loss": scores["loss"],
        }
        if other is not None:
            sets[name]["active"] = _scores(other, dataset.labels)
    own = read["mnist"][0]
    confusion = np.zeros((11, 11), int)
    np.add.at(confusion, (test.labels, own.argmax(axis=1)), 1)
    return {
        "sets": sets,
        "confusion": confusion.tolist(),
        "per_digit": [
            round(float(confusion[digit, digit] / max(1, confusion[digit].sum())), 5)
            for digit in range(10)
        ],
        "disagreements": [
            one
            for name, dataset in (("corrections", held_out), ("mnist", test))
            for one in _disagreements(name, *read[name], dataset)
        ][:WORST],
    }


def judge_alone(engine: "Engine") -> Report:
    """Measure a model on MNIST's test set, without an active model; as `judge`."""
    return judge(engine, None, Dataset(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)))


def is_better(report: Report) -> bool:
    """Return whether a candidate may replace the active version.

    It may if it reads held-out corrections better and loses at most TOLERANCE of MNIST's accuracy;
    or, if it reads them equally well or there are none, if it reads MNIST better.
    """
    mnist, held_out = report["sets"]["mnist"], report["sets"]["corrections"]
    if "active" not in mnist:
        return True
    gained = _gain(mnist)
    if held_out["images"]:
        learned = _gain(held_out)
        return (learned > 0 and gained >= -TOLERANCE) or (learned == 0 and gained > 0)
    return gained > 0


def _gain(scores: SetScores) -> float:
    """Return by how much the candidate's accuracy exceeds the active version's."""
    own, other = scores["accuracy"], scores["active"]["accuracy"]
    if own is None or other is None:
        raise ValueError("expected scores of at least one image, received none")
    return own - other


def _scores(probabilities: Probabilities, labels: Labels) -> Scores:
    if not len(labels):
        return {"accuracy": None, "loss": None}
    right = probabilities.argmax(axis=1) == labels
    chosen = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": round(float(right.mean()), 5),
        "loss": round(float(-np.log(np.clip(chosen, 1e-7, 1)).mean()), 5),
    }


def _disagreements(
    name: str, own: Probabilities, other: Probabilities | None, dataset: Dataset
) -> list[Disagreement]:
    """Return the images whose reading differs from their label, the surest first."""
    if not len(dataset):
        return []
    read, sure = own.argmax(axis=1), own.max(axis=1)
    wrong = np.flatnonzero(read != dataset.labels)
    return [
        {
            "set": name,
            "truth": int(dataset.labels[row]),
            "read": int(read[row]),
            "confidence": round(float(sure[row]), 4),
            "active_read": None if other is None else int(other[row].argmax()),
            "pixels": base64.b64encode(dataset.images[row].tobytes()).decode(),
        }
        for row in wrong[np.argsort(-sure[wrong])][:WORST]
    ]
