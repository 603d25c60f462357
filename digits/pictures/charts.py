"""Curves and timelines as lines of an SVG: numbers only, the template draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.metrics import Epoch

WIDTH, HEIGHT = 320, 140


@dataclass(frozen=True)
class Curve:
    """A chart of two lines over the epochs.

    training, validation: points as SVG's polyline wants them.
    low, high: the values at the lower and upper edge.
    last: the newest values of both, None where there is none.
    """

    training: str
    validation: str
    low: float
    high: float
    last: tuple[float | None, float | None]


@dataclass(frozen=True)
class Mark:
    """A point of a timeline: its place, its name and its value."""

    x: float
    y: float
    name: str
    value: float
    is_active: bool


@dataclass(frozen=True)
class Timeline:
    """A chart of one figure over a sequence.

    line: points as SVG's polyline wants them.
    low, high: the values at the lower and upper edge.
    """

    line: str
    marks: list[Mark]
    low: float
    high: float


def timeline(values: list[tuple[str, float | None, bool]]) -> Timeline | None:
    """Return the chart of (name, value, is active); None if fewer than two values are known."""
    known = [(name, value, active) for name, value, active in values if value is not None]
    if len(known) < 2:
        return None
    low, high = (edge(value for _, value, _ in known) for edge in (min, max))
    step, reach = WIDTH / (len(known) - 1), (high - low) or 1
    marks = [
        Mark(round(n * step, 1), round(HEIGHT - (value - low) / reach * HEIGHT, 1), *one)
        for n, one in enumerate(known)
        for value in [one[1]]
    ]
    return Timeline(" ".join(f"{mark.x},{mark.y}" for mark in marks), marks, low, high)


def curve(epochs: list[Epoch], training: str, validation: str) -> Curve | None:
    """Return the chart of two figures of each epoch; None before the first epoch."""
    rows = [[one.get(name) for one in epochs] for name in (training, validation)]
    values = [value for row in rows for value in row if value is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    first, second = rows
    return Curve(
        _points(first, low, high), _points(second, low, high), low, high, (first[-1], second[-1])
    )


def _points(values: Sequence[float | None], low: float, high: float) -> str:
    step = WIDTH / max(1, len(values) - 1)
    reach = (high - low) or 1
    return " ".join(
        f"{number * step:.1f},{HEIGHT - (value - low) / reach * HEIGHT:.1f}"
        for number, value in enumerate(values)
        if value is not None
    )


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its place and its count. `ago`: how many steps ago it began."""

    x: float
    y: float
    width: float
    height: float
    count: int
    ago: int


@dataclass(frozen=True)
class Bars:
    """A chart of counts, the oldest first."""

    bars: list[Bar]
    most: int
    total: int


def bars(counts: list[int]) -> Bars:
    """Return the chart of counts; the highest bar is as high as the chart."""
    most, step = max(counts, default=0), WIDTH / max(1, len(counts))
    heights = [round(HEIGHT * count / max(1, most), 1) for count in counts]
    drawn = [
        Bar(
            round(n * step + 1, 1),
            round(HEIGHT - high, 1),
            round(step - 2, 1),
            high,
            count,
            len(counts) - n,
        )
        for n, (count, high) in enumerate(zip(counts, heights, strict=True))
    ]
    return Bars(drawn, most, sum(counts))
