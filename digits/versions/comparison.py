"""Two versions side by side, and the accuracy of all over time."""

from dataclasses import dataclass

from django.db.models import F, FilteredRelation, Q
from django.db.models.functions import Coalesce

from digits.formats import exactly
from digits.models import Digit, ModelVersion, Prediction
from digits.models.corrections import NOT_A_DIGIT
from digits.models.versions import HELD_OUT_ACCURACY, MNIST_ACCURACY, first_known
from digits.pictures.charts import Timeline, timeline
from digits.versions import reports

VERSIONS_DRAWN = 40
DIFFERENCES_SHOWN = 24


@dataclass(frozen=True)
class Row:
    """One figure of both versions, as text, the second's difference to the first in points, and
    which is better: "a", "b" or neither."""

    name: str
    a: str
    b: str
    points: str = ""
    better: str = ""


def timelines() -> list[tuple[str, Timeline]]:
    """The charts of the newest versions' accuracy, oldest first; those that have two points."""
    paths = [f"metrics__{path}" for path in (*MNIST_ACCURACY, HELD_OUT_ACCURACY)]
    rows = ModelVersion.objects.order_by("-number").values_list("number", "is_active", *paths)
    versions = list(rows[:VERSIONS_DRAWN])[::-1]
    found = {
        "MNIST's test set": [(str(n), first_known(shares), on) for n, on, *shares, _ in versions],
        "Corrections held out": [(str(n), held_out, on) for n, on, *_, held_out in versions],
    }
    charts = [(name, timeline(values)) for name, values in found.items()]
    return [(name, chart) for name, chart in charts if chart]


def compare(a: ModelVersion, b: ModelVersion, owner) -> dict:
    """All that is compared of two versions; of people's digits those that the owner may see."""
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
    """The share that is right of each collection that one of them was measured on."""
    first, second = _shares(a), _shares(b)
    return [_row(name, first.get(name), second.get(name)) for name in first | second]


def _shares(version: ModelVersion) -> dict[str, float]:
    metrics = version.metrics
    reported = metrics.get("report", {}).get("sets", {})
    held_out = reported.get("corrections", {}).get("accuracy")
    shares = {reports.SETS["mnist"]: version.mnist_accuracy, reports.SETS["corrections"]: held_out}
    for name, figures in metrics.get("evaluation", {}).items():
        if name != "mnist":
            shares[name] = first_known([figures.get("probable_right"), figures.get("accuracy")])
    return {name: share for name, share in shares.items() if share is not None}


def _per_digit(a: ModelVersion, b: ModelVersion) -> list[Row]:
    """The share of each digit that is right in MNIST's test set, where reports have it."""
    first, second = (version.metrics.get("report", {}).get("per_digit", []) for version in (a, b))
    if not first and not second:
        return []
    pad = [None] * 10
    rows = zip(range(10), [*first, *pad], [*second, *pad], strict=False)
    return [_row(str(digit), *shares) for digit, *shares in rows]


def _row(name: str, a: float | None, b: float | None) -> Row:
    better = "" if a is None or b is None or a == b else "b" if b > a else "a"
    return Row(name, exactly(a) or "-", exactly(b) or "-", reports.points(b, a), better)


def _read_by_both(a: ModelVersion, b: ModelVersion, owner):
    """How many digits both have read, and the first's predictions that the second contradicts,
    each with what that says (`other`)."""
    own = Prediction.objects.filter(version=a, digit__in=Digit.objects.visible_to(owner))
    theirs = FilteredRelation("digit__predictions", condition=Q(digit__predictions__version=b))
    both = own.alias(theirs=theirs).filter(theirs__isnull=False)
    label = Coalesce(F("theirs__value"), NOT_A_DIGIT)
    different = both.annotate(other=label, own=Coalesce("value", NOT_A_DIGIT))
    return both.count(), different.exclude(own=F("other"))
