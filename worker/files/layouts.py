"""How rows of pixels stand in a file: which column is the label, what paper is, what full ink.

It is decided by names, values and counts of some of the rows. What is not certain is said in words,
and what cannot be decided is asked: see `Question`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from worker.arrays import Floats, Pixels
from worker.files import upright
from worker.files.datasets import DatasetError
from worker.files.wording import shown

PIXELS = 28 * 28
FULL = 255.0
MOST_FULL = 65_535.0  # 16 bits
SURE_UPRIGHT, SURE_TRANSPOSED = 5.9, -5.9  # log odds: see worker.files.upright.evidence
FEW, MOST = 0.1, 0.9  # shares of rows that are nearly none and nearly all
LEAST_LIKENESS = 0.3  # correlation of neighbouring pixels: MNIST's is 0.84, that of noise 0
RANGE = re.compile(r"^\s*(-?[0-9.eE+-]+?)\s*\.\.\s*(-?[0-9.eE+-]+)\s*$")


class Question(DatasetError):
    """What cannot be decided about a file; the message asks for the option that decides it."""

    def __init__(self, text: str, option: str) -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True)
class Wishes:
    """What the sender says about a file's layout; what is not said is decided by the rows.

    label_column: "first", "last", "none", a column's name, or its number from 1; "" to decide.
    invert: whether paper has the high values; None to decide.
    transpose: whether rows and columns of each image are exchanged; None to decide.
    scale: the value of full ink, as "255", or of paper and full ink, as "-1..1"; "" to decide.
    """

    label_column: str = ""
    invert: bool | None = None
    transpose: bool | None = None
    scale: str = ""

    @cached_property
    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest value of pixels.

        Raises:
            Question: the scale is not a number above 0, or two with dots between them.
        """
        if not self.scale.strip():
            return None
        found = RANGE.match(self.scale)
        try:
            ends = (float(found[1]), float(found[2])) if found else (0.0, float(self.scale))
        except ValueError:
            ends = (0.0, 0.0)
        if not (math.isfinite(ends[1] - ends[0]) and ends[0] < ends[1]):
            raise Question(
                f"scale: expected the value of full ink, as 255, or two as -1..1, received"
                f" “{shown(self.scale, 40)}”",
                "scale",
            )
        return ends


@dataclass(frozen=True)
class Layout:
    """How the rows of a file are read, and what of that was assumed.

    delimiter: what is between the values of a CSV; a space stands for any white space.
    columns: how many values a row of a CSV has.
    label_column: the place of the label in a row, from 0; None where there is none.
    left_out: the places of other columns that are no pixels, such as an index.
    order: the places of the 784 pixels, where they are not those that remain, in their order.
    has_header: whether the first line of a CSV has names.
    low, high: the lowest and the highest value that a pixel may have.
    whole: whether pixels are whole numbers.
    invert: whether the highest value is paper, and not ink.
    transpose: whether the pixels of an image stand column by column.
    converted: whether the values were brought to 0 to 255 when the file was stored.
    folders: whether the names of folders in a ZIP are labels.
    litter: whether all that devices add by themselves is left out of a ZIP, as since 0.3.0.
    assumptions: what was assumed, in sentences.
    start: the offset of a CSV's first row in bytes; not stored, since parts have their own.
    """

    delimiter: str = ","
    columns: int = PIXELS
    label_column: int | None = None
    left_out: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    has_header: bool = False
    low: float = 0.0
    high: float = FULL
    whole: bool = True
    invert: bool = False
    transpose: bool = False
    converted: bool = False
    folders: bool = False
    litter: bool = True
    assumptions: tuple[str, ...] = ()
    start: int = 0

    @property
    def has_labels(self) -> bool:
        return self.label_column is not None

    @cached_property
    def pixel_columns(self) -> tuple[int, ...]:
        """The places of the 784 pixels in a row, in their order."""
        if self.order:
            return self.order
        others = {self.label_column, *self.left_out}
        return tuple(place for place in range(self.columns) if place not in others)

    def as_json(self) -> dict[str, Any]:
        """Return what is stored with a bulk job, so that its parts are read alike."""
        found = asdict(self)
        del found["start"]
        return found

    @classmethod
    def from_json(cls, stored: dict[str, Any], labelled: bool) -> "Layout":
        """Return the layout of a bulk job; of one from before layouts were stored, that of then."""
        if not stored:
            return before(labelled)
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in stored.items() if name in known}
        lists = {name: tuple(given.get(name, ())) for name in ("left_out", "order", "assumptions")}
        return cls(**{**given, **lists})


def before(labelled: bool) -> Layout:
    """Return the layout that every CSV had before 0.3.0: the label, if there is one, is first."""
    label = 0 if labelled else None
    return Layout(columns=PIXELS + labelled, label_column=label, litter=False)


@dataclass(frozen=True)
class Look:
    """How the values of pixels are to be understood, as in Layout, and what was assumed."""

    low: float = 0.0
    high: float = FULL
    whole: bool = True
    invert: bool = False
    transpose: bool = False
    assumptions: tuple[str, ...] = ()


def look_of(values: Floats, wishes: Wishes) -> Look:
    """Decide how pixels are to be understood.

    Args:
        values: of some rows, shape (n, 784), all finite.
        wishes: what the sender says.

    Raises:
        Question: it cannot be decided.
    """
    said: list[str] = []
    inked = values[np.ptp(values, axis=1) > 0] if len(values) else values
    low, high, whole = scale_of(values, wishes, said)
    if not len(inked):
        return Look(low, high, whole, bool(wishes.invert), bool(wishes.transpose))
    ink = np.clip((inked - low) / (high - low), 0, 1)
    invert = wishes.invert if wishes.invert is not None else _inverted(ink, said)
    pixels = ((1 - ink if invert else ink) * 255).round().astype(np.uint8).reshape(-1, 28, 28)
    transpose = wishes.transpose
    if transpose is None:
        transpose = _transposed(pixels, said)
    _compare_neighbours(pixels, said)
    return Look(low, high, whole, invert, transpose, tuple(said))


def scale_of(values: Floats, wishes: Wishes, said: list[str]) -> tuple[float, float, bool]:
    """Return the lowest and the highest value, and whether all are whole numbers.

    Args:
        values: of some rows, shape (n, 784), all finite.
        wishes: what the sender says.
        said: takes what was assumed, in sentences.

    Raises:
        Question: it cannot be decided.
    """
    some = values[values.any(axis=1)] if len(values) else values
    if not len(some):
        low, high = wishes.ends or (0.0, FULL)
        return low, high, not wishes.ends
    fractions = (some != np.floor(some)).any(axis=1).mean()
    whole = bool(fractions < FEW)
    if wishes.ends:
        return *wishes.ends, whole
    if (some.min(axis=1) < 0).mean() > FEW:
        return *_below_zero(some, said), False
    highest = some.max(axis=1)
    faint = float((highest <= 1).mean())
    if FEW < faint < MOST:
        raise Question(
            "some rows have values from 0 to 1, and others up to"
            f" {highest.max():g}: say with the option scale what full ink is, as 1 or 255",
            "scale",
        )
    if faint >= MOST:
        said.append("Values from 0 to 1 are taken for paper to full ink (scale 1).")
        return 0.0, 1.0, whole
    return *_higher(highest, said), whole


def _below_zero(some: Floats, said: list[str]) -> tuple[float, float]:
    low, high = float(some.min()), float(some.max())
    if -1 <= low < -0.9 and 0.9 < high <= 1:
        said.append("Values from -1 to 1 are taken for paper to full ink (scale -1..1).")
        return -1.0, 1.0
    raise Question(
        f"the values go from {low:g} to {high:g}: say with the option scale what paper and full"
        f" ink are, as {low:.4g}..{high:.4g}",
        "scale",
    )


def _higher(highest: Floats, said: list[str]) -> tuple[float, float]:
    """Return the scale by the highest value of each row, most of which are above 1."""
    most = float(np.sort(highest)[int(MOST * (len(highest) - 1))])
    if (highest > FULL).mean() > 0.5:
        if highest.max() > MOST_FULL:
            raise Question(
                f"the values go up to {highest.max():g}: say with the option scale what full ink"
                " is, as 255",
                "scale",
            )
        high = next(one for one in (1023.0, 4095.0, MOST_FULL) if highest.max() <= one)
        said.append(f"Values up to {highest.max():g} are read on a scale from 0 to {high:g}.")
        return 0.0, high
    if max(most, float(highest.max())) <= 16:
        said.append("Values up to 16 are taken for paper to full ink (scale 16).")
        return 0.0, 16.0
    if highest.max() < 128:
        said.append(
            f"No value is above {highest.max():g}; they are read as faint ink on the scale from 0"
            " to 255 (scale)."
        )
    return 0.0, FULL


def _inverted(ink: Floats, said: list[str]) -> bool:
    """Return whether paper has the high values, which the rims of the images tell."""
    images = ink.reshape(-1, 28, 28)
    rim = np.ones((28, 28), bool)
    rim[2:-2, 2:-2] = False
    share = float((np.median(images[:, rim], axis=1) > 0.5).mean())
    if FEW / 5 < share < 1 - FEW / 5:
        raise Question(
            "some images have a dark rim and others a light one: say with the option invert"
            " whether high values are paper (yes) or ink (no)",
            "invert",
        )
    if share < 0.5:
        return False
    said.append("High values are taken for paper and low ones for ink (invert).")
    return True


def _transposed(pixels: Pixels, said: list[str]) -> bool:
    odds = upright.evidence(pixels)
    if odds <= SURE_TRANSPOSED:
        said.append(
            "The pixels of each image are taken to stand column by column, as EMNIST has them"
            " (transpose)."
        )
        return True
    if odds < 0:
        raise Question(
            "it is not certain whether the pixels of each image stand row by row or column by"
            " column, as EMNIST has them: say with the option transpose (yes or no)",
            "transpose",
        )
    if odds < SURE_UPRIGHT:
        said.append(
            "The pixels of each image are taken to stand row by row; there is too little to be"
            " certain (transpose)."
        )
    return False


def _compare_neighbours(pixels: Pixels, said: list[str]) -> None:
    left, right = pixels[:, :, :-1].ravel(), pixels[:, :, 1:].ravel()
    if left.std() and right.std() and np.corrcoef(left, right)[0, 1] < LEAST_LIKENESS:
        said.append(
            "Neighbouring pixels differ as in no drawing: these are no images of digits, or their"
            " pixels are in another order."
        )


def table_of(layout: Layout) -> bytes | None:
    """Return what each of 256 values of a file of bytes becomes; None: it stays as it is."""
    if layout.converted:
        return bytes(range(255, -1, -1)) if layout.invert else None
    if not layout.invert and (layout.low, layout.high) == (0.0, FULL):
        return None
    return bytes(ink_of(float(value), layout) for value in range(256))


def ink_of(value: float, layout: Layout) -> int:
    """Return the ink of a value: 0 is paper, 255 is full ink."""
    share = min(1.0, max(0.0, (value - layout.low) / (layout.high - layout.low)))
    return round(255 * (1 - share if layout.invert else share))


def say(layout: Layout) -> str:
    """Return what was assumed, in one text for people; empty where nothing was."""
    return " ".join(layout.assumptions)


def named(columns: Sequence[int]) -> str:
    """Return columns by their numbers from 1, as people count them."""
    return ", ".join(str(column + 1) for column in columns)
