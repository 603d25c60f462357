"""Curves of a training as lines of an SVG: numbers only, the template draws."""

from dataclasses import dataclass

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


def curve(epochs: list[dict], training: str, validation: str) -> Curve | None:
    """Make the chart of two figures of each epoch; None before the first epoch."""
    rows = [[one.get(name) for one in epochs] for name in (training, validation)]
    values = [value for row in rows for value in row if value is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    lines = [_points(row, low, high) for row in rows]
    return Curve(*lines, low, high, tuple(row[-1] for row in rows))


def _points(values: list[float | None], low: float, high: float) -> str:
    step = WIDTH / max(1, len(values) - 1)
    reach = (high - low) or 1
    return " ".join(
        f"{number * step:.1f},{HEIGHT - (value - low) / reach * HEIGHT:.1f}"
        for number, value in enumerate(values)
        if value is not None
    )
