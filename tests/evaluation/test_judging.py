"""Which of two models is better, and the report on them."""

import numpy as np
import pytest

from worker.evaluation.judging import is_better, judge
from worker.files.datasets import Dataset
from worker.reading.engine import Engine


def scores(mnist: float, mnist_active: float, own: float | None = None, active: float = 0):
    sets = {"mnist": {"accuracy": mnist, "active": {"accuracy": mnist_active}}}
    sets["corrections"] = {"images": 0 if own is None else 20}
    if own is not None:
        sets["corrections"] |= {"accuracy": own, "active": {"accuracy": active}}
    return {"sets": sets}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (scores(0.9970, 0.9969), True),
        (scores(0.9969, 0.9969), False),
        (scores(0.9966, 0.9970, 0.9, 0.1), True),
        (scores(0.9960, 0.9970, 0.9, 0.1), False),
        (scores(0.9975, 0.9970, 0.5, 0.6), False),
        (scores(0.9975, 0.9970, 0.6, 0.6), True),
    ],
)
def test_better_is_reading_corrections_better_at_little_cost(report, expected):
    assert is_better(report) is expected


class Remembering(Engine):
    """An engine that reads the same images once."""

    def __init__(self):
        super().__init__()
        self.known = {}

    def predict(self, digits):
        key = digits.tobytes()
        if key not in self.known:
            self.known[key] = super().predict(digits)
        return self.known[key]


def test_a_model_is_not_better_than_itself_and_its_errors_are_shown_surest_first(mnist):
    engine = Remembering()
    wrong = Dataset(mnist.images[:30], ((mnist.labels[:30] + 1) % 10).astype(np.uint8))
    report = judge(engine, engine, wrong)
    own = report["sets"]["corrections"]
    assert (own["images"], own["accuracy"]) == (30, own["active"]["accuracy"])
    assert not is_better(report)
    shown = report["disagreements"]
    assert {one["set"] for one in shown} == {"corrections"}
    assert all(one["read"] == one["active_read"] != one["truth"] for one in shown)
    sure = [one["confidence"] for one in shown]
    assert sure == sorted(sure, reverse=True)
    assert sum(map(sum, report["confusion"])) == 10_000
