"""A version's metrics as pages show them. Figures that were not measured are left out."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat

from digits.formats import duration, exactly
from digits.models import ModelVersion
from digits.models.corrections import NOT_A_DIGIT
from digits.models.versions import first_known
from digits.pictures.pixels import data_url
from worker.metrics import Disagreement, Metrics, Scores, SetScores, TrainingData

CLASSES = [*map(str, range(10)), "not a digit"]
SETS = {"mnist": "MNIST's test set", "corrections": "corrections held out"}
# From which share of a row on a cell is shaded how strongly: mistakes are rare, and must show.
MISTAKE_LEVELS = (0.0, 0.002, 0.005, 0.02, 0.1)
RIGHT_LEVELS = (0.0, 0.5, 0.9, 0.97, 0.99)


class Cell(TypedDict):
    """A cell of a heat map: its count, and the class of its shade."""

    count: int
    shade: str


HeatMap = list[tuple[str, list[Cell]]]


class SetRow(TypedDict):
    """A set of images: the version's scores on it, the active version's, and the difference."""

    name: str
    images: int
    own: SetScores
    active: Scores
    points: str


class DisagreementRow(TypedDict):
    """An image whose label differs from the reading, as a page shows it."""

    image: str
    truth: str
    read: str
    active_read: str
    confidence: float | None


class ShownReport(TypedDict):
    """The report of judging a version, as a page shows it."""

    beside: int | None
    sets: list[SetRow]
    confusion: HeatMap
    classes: list[str]
    per_digit: list[tuple[int, float]]
    disagreements: list[DisagreementRow]


def facts(version: ModelVersion) -> list[tuple[str, str]]:
    """Return the names and values of the facts that are known of a version."""
    metrics: Metrics = version.metrics
    seconds, size = metrics.get("training_seconds"), metrics.get("bytes")
    seed = metrics.get("recipe", {}).get("seed")
    known = [
        ("Architecture", version.architecture),
        ("Parameters", _number(metrics.get("parameters"))),
        ("Size", size and filesizeformat(size)),
        ("Seed", None if seed is None else str(seed)),
        ("Training took", seconds and duration(timedelta(seconds=seconds))),
        ("Keras", metrics.get("keras")),
        ("TensorFlow", metrics.get("tensorflow")),
        ("Backend", metrics.get("backend")),
        *_data(metrics.get("data")),
        ("SHA-256", version.sha256),
    ]
    return [(name, str(value)) for name, value in known if value]


def _data(data: TrainingData | None) -> list[tuple[str, str]]:
    """Return the counts of the training data, and the hash of the corrections."""
    if data is None:
        return []
    counts = data.get("counts", {}).items()
    rows = [(f"Data: {name.replace('_', ' ')}", _number(count)) for name, count in counts]
    return [*rows, ("SHA-256 of the data", data.get("sha256", ""))]


def evaluation(version: ModelVersion) -> list[tuple[str, list[str]]]:
    """Return the rows of the table of collections that `manage.py evaluate` has measured."""
    metrics: Metrics = version.metrics
    return [
        (
            name,
            [
                _number(figures.get("images")),
                exactly(first_known([figures.get("probable_right"), figures.get("accuracy")])),
                exactly(figures.get("digits_right")),
                _number(figures.get("digits_false")),
                exactly(figures.get("accepted")),
                exactly(figures.get("calibration_error")),
            ],
        )
        for name, figures in metrics.get("evaluation", {}).items()
    ]


def report(version: ModelVersion, *, with_corrections: bool) -> ShownReport | None:
    """Return the report of judging a version beside the one that was active then; None without one.

    with_corrections: include disagreements on corrections, which show digits that people sent.
    """
    metrics: Metrics = version.metrics
    made = metrics.get("report")
    if not made:
        return None
    return {
        "beside": made.get("active_version"),
        "sets": _sets(made.get("sets", {})),
        "confusion": heat_map(made.get("confusion", [])),
        "classes": CLASSES,
        "per_digit": list(enumerate(made.get("per_digit", []))),
        "disagreements": [
            _disagreement(row)
            for row in made.get("disagreements", [])
            if with_corrections or row.get("set") != "corrections"
        ],
    }


def _sets(sets: Mapping[str, SetScores]) -> list[SetRow]:
    """Return the scores of a version and of the active one on the same sets of images."""
    return [
        {
            "name": SETS.get(name, name),
            "images": figures["images"],
            "own": figures,
            "active": figures["active"],
            "points": points(figures.get("accuracy"), figures["active"].get("accuracy")),
        }
        for name, figures in sets.items()
        if figures.get("images") and figures.get("active")  # what ships was judged beside none
    ]


def points(own: float | None, other: float | None) -> str:
    if own is None or other is None:
        return ""
    return f"{(own - other) * 100:+.2f}".replace("-", "\N{MINUS SIGN}")


def heat_map(counts: list[list[int]]) -> HeatMap:
    """Return the rows of the heat map of a confusion matrix."""
    return [
        (CLASSES[truth], [_cell(truth, read, count, sum(row)) for read, count in enumerate(row)])
        for truth, row in enumerate(counts)
        if any(row)
    ]


def _cell(truth: int, read: int, count: int, total: int) -> Cell:
    right = truth == read
    levels = RIGHT_LEVELS if right else MISTAKE_LEVELS
    level = sum(count / total > least for least in levels)
    return {"count": count, "shade": f"{'right' if right else 'wrong'}-{level}" if count else ""}


def _disagreement(row: Disagreement) -> DisagreementRow:
    active_read = row.get("active_read")
    return {
        "image": data_url(base64.b64decode(row["pixels"])),
        "truth": _name(row["truth"]),
        "read": _name(row["read"]),
        "active_read": "" if active_read is None else CLASSES[active_read],
        "confidence": row.get("confidence"),
    }


def _name(value: int | None) -> str:
    return CLASSES[NOT_A_DIGIT if value is None else value]


def _number(value: int | None) -> str:
    return "" if value is None else intcomma(value)
