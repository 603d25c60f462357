"""Whether ink is one stroke of a pen, and how long, thick, leaning and bent that is."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from worker.arrays import Floats, Pixels

CLEAR = 80  # ink above this counts, of 255: a hair between two columns has half of it in each
PLACES = 24  # along a stroke at most, at which it is looked at
DEGREE = 5  # of the curve that a stroke may be
ENDS = 0.1  # of a stroke at each end, which may be round or cut off at a slant


@dataclass(frozen=True)
class Stroke:
    """One stroke of a pen: a line, straight or bent.

    length, thick: in pixels of the ink; of a bent stroke, its chord's length.
    lean: degrees from upright, positive to the right at the top, from -90 to 90.
    bend: how far its middle is from its chord, as a share of its length.
    uneven: how far its edges are at most from those of such a stroke, as a share of its length.
    filled: about the share of what lies between its edges that is ink.
    """

    length: float
    thick: float
    lean: float
    bend: float
    uneven: float
    filled: float


def stroke_of(ink: Pixels) -> Stroke | None:
    """Return what ink is as one stroke; None where it has gaps, or is too small to tell.

    Args:
        ink: uint8, shape (height, width); 0 is paper.
    """
    rows, columns = np.nonzero(ink >= CLEAR)
    if len(rows) < 3:
        return None
    x, y = columns - columns.mean(), rows - rows.mean()
    # Half the angle of the moments is that of the axis along which the ink is longest.
    angle = float(np.arctan2(-2 * (x @ y), y @ y - x @ x)) / 2
    sine, cosine = np.sin(angle), np.cos(angle)
    area = float(ink[rows, columns].sum()) / 255
    along, across = x * sine - y * cosine, x * cosine + y * sine
    return _measured(along - along.min(), across, area, float(np.degrees(angle)))


def _measured(along: Floats, across: Floats, area: float, lean: float) -> Stroke | None:
    """Measure a stroke by its pixels' places along and across its direction."""
    length = float(along.max()) + 1
    count = min(PLACES, int(length / 1.5))
    if count < 3:
        return None
    place = np.minimum((along / length * count).astype(int), count - 1)
    pixels = np.bincount(place, minlength=count)
    if not pixels.all():
        return None
    order = np.lexsort((across, place))
    ends = np.cumsum(pixels)
    low, high = across[order[ends - pixels]], across[order[ends - 1]]
    own, bow = _curves(count)
    inner = _inner(count)
    middles = (np.bincount(place, across, count) / pixels)[inner]
    middle, half = own @ middles, float(np.median((high - low)[inner])) / 2
    out = float(np.maximum(high - middle, middle - low).max()) - half  # beyond the edges
    within = float(np.maximum(middle - high, low - middle)[inner].max()) + half
    return Stroke(
        length,
        area / length,
        lean,
        abs(float(bow @ middles)) / length,
        max(out, within) / length,
        len(along) / float((high - low + 1).sum() * length / count),
    )


def _inner(count: int) -> slice:
    """Return which of so many places are not at the ends of a stroke."""
    ends = round(ENDS * count)
    return slice(ends, count - ends)


@cache
def _curves(count: int) -> tuple[Floats, Floats]:
    """Return what fits curves to the middles of a stroke at its inner places, of so many.

    Returns:
        Two matrices that are multiplied with the middles: for the middles on the fitted curve at
        all places, and for how far a bow through them is from its chord.
    """
    at = (np.arange(count) + 0.5) / count - 0.5
    inner = at[_inner(count)]
    degree = min(DEGREE, count // 4)
    own = np.vander(at, degree + 1) @ np.linalg.pinv(np.vander(inner, degree + 1))
    return own, np.linalg.pinv(np.vander(inner, 3))[0] / 4
