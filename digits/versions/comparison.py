"""Comparison of two versions, and the accuracy of all versions over time."""

from dataclasses import dataclass
from typing import TypedDict

from django.db.models import F, FilteredRelation, Q, QuerySet
from django.db.models.functions import Coalesce

from digits.accounts.owners import Owner
from digits.formats import exactly
from digits.models import Digit, ModelVersion, Prediction
from digits.models.corrections import NOT_A_DIGIT
from digits.models.versions import HELD_OUT_ACCURACY, MNIST_ACCURACY, first_known
from digits.pictures.charts import Timeline, timeline
from digits.versions import reports
from worker.metrics import Metrics

VERSIONS_DRAWN = 40
DIFFERENCES_SHOWN = 24


@dataclass(frozen=True)
class Row:
    """One figure of both versions as text, the difference of the second to the first in points, and
    which is better: "a", "b", or "" for neither."""

    name: str
    a: str
    b: str
    points: str = ""
    better: str = ""


class Comparison(TypedDict):
    """The comparison of two versions.

    both: how many digits both have read.
    differ: how many of them they read differently.
    differences: the first version's predictions of some of those; `other` is the second's label.
    """

    facts: list[Row]
    accuracy: list[Row]
    per_digit: list[Row]
    both: int
    differ: int
    differences: QuerySet[Prediction]


def timelines() -> list[tuple[str, Timeline]]:
    """Return the charts of the newest versions' accuracy, oldest first, that have two points."""
    paths = [f"metrics__{path}" for path in (*MNIST_ACCURACY, HELD_OUT_ACCURACY)]
    rows = ModelVersion.objects.order_by("-number").values_list("number", "is_active", *paths)
    versions = list(rows[:VERSIONS_DRAWN])[::-1]
    found = {
        "MNIST's test set": [(str(n), first_known(shares), on) for n, on, *shares, _ in versions],
        "Corrections held out": [(str(n), held_out, on) for n, on, *_, held_out in versions],
    }
    charts = [(name, timeline(values)) for name, values in found.items()]
    return [(name, chart) for name, chart in charts if chart]


def compare(a: ModelVersion, b: ModelVersion, owner: Owner) -> Comparison:
    """Return the comparison of two versions; predictions only for digits that the owner may see."""
    both, different = _read_by_both(a, b, owner)
    return {
        "facts": _facts(a, b),
        "accuracy": _accuracy(a, b),
        "per_digit": _per_digit(a, b),
        "both": both,
        "differ": different.count(),
        "differences": different.select_related("digit")[:DIFFERENCES_SHOWN],
    }


def _facts(a: ModelVersion, b: ModelVersion) -> list[Row]:
    first, second = dict(reports.facts(a)), dict(reports.facts(b))
    return [Row(name, first.get(name, "-"), second.get(name, "-")) for name in first | second]


def _accuracy(a: ModelVersion, b: ModelVersion) -> list[Row]:
    """Return the accuracy on each collection that one of the versions was measured on."""
    first, second = _shares(a), _shares(b)
    return [_row(name, first.get(name), second.get(name)) for name in first | second]


def _shares(version: ModelVersion) -> dict[str, float]:
    metrics: Metrics = version.metrics
    report = metrics.get("report")
    reported = report.get("sets", {}) if report else {}
    held_out = reported["corrections"].get("accuracy") if "corrections" in reported else None
    shares = {reports.SETS["mnist"]: version.mnist_accuracy, reports.SETS["corrections"]: held_out}
    for name, figures in metrics.get("evaluation", {}).items():
        if name != "mnist":
            shares[name] = first_known([figures.get("probable_right"), figures.get("accuracy")])
    return {name: share for name, share in shares.items() if share is not None}


def _per_digit(a: ModelVersion, b: ModelVersion) -> list[Row]:
    """Return the accuracy for each digit of MNIST's test set, if a report has it."""
    first, second = _shares_of_digits(a), _shares_of_digits(b)
    if not first and not second:
        return []
    pad = [None] * 10
    rows = zip(range(10), [*first, *pad], [*second, *pad], strict=False)
    return [_row(str(digit), *shares) for digit, *shares in rows]


def _shares_of_digits(version: ModelVersion) -> list[float]:
    metrics: Metrics = version.metrics
    report = metrics.get("report")
    return report.get("per_digit", []) if report else []


def _row(name: str, a: float | None, b: float | None) -> Row:
    better = "" if a is None or b is None or a == b else "b" if b > a else "a"
    return Row(name, exactly(a) or "-", exactly(b) or "-", reports.points(b, a), better)


def _read_by_both(
    a: ModelVersion, b: ModelVersion, owner: Owner
) -> tuple[int, QuerySet[Prediction]]:
    """Return how many digits both versions have read, and the predictions of the first that differ
    from those of the second, each with the second's label as `other`."""
    own = Prediction.objects.filter(version=a, digit__in=Digit.objects.visible_to(owner))
    theirs = FilteredRelation("digit__predictions", condition=Q(digit__predictions__version=b))
    both = own.alias(theirs=theirs).filter(theirs__isnull=False)
    label = Coalesce(F("theirs__value"), NOT_A_DIGIT)
    different = both.annotate(other=label, own=Coalesce("value", NOT_A_DIGIT))
    return both.count(), different.exclude(own=F("other"))
