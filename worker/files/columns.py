"""Which columns of a CSV are labels, which an index, and which pixels: by names, values, counts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from worker.arrays import Floats, Mask
from worker.files.layouts import PIXELS, Question, Wishes
from worker.files.wording import shown

LABELS = {
    "label",
    "labels",
    "class",
    "classes",
    "digit",
    "digits",
    "target",
    "truth",
    "y",
    "answer",
}
INDEXES = {
    *("", "id", "ids", "imageid", "imgid", "index", "idx", "row", "rowid", "rownames", "no", "nr"),
    *("unnamed0", "image", "name", "filename", "file", "key", "number"),
}
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOST_OTHERS = 3  # columns beside the pixels that no name tells apart
LEAST_COUNTED = 3  # rows, before numbers that count up in a column without a name are an index
_COUNTED = re.compile(r"^(.*?)(\d+)$")
_PLACED = re.compile(r"^(\d+)[x_,. ](\d+)$")
_BARE = re.compile(r"[^a-z0-9]")
_QUOTED = re.compile(rb"^b'(.*)'$")
LABEL, INDEX = "label", "index"


@dataclass(frozen=True)
class Sample:
    """Some rows of a CSV.

    names: of the columns; none where the CSV has no header.
    cells: of each row.
    numbers: the same as numbers, shape (rows, columns); NaN where a cell is none.
    head: how many of the rows stand one after the other at the beginning.
    """

    names: list[str]
    cells: list[list[bytes]]
    numbers: Floats
    head: int

    @property
    def columns(self) -> int:
        return int(self.numbers.shape[1])


@dataclass
class Roles:
    """What the columns are: a label or none, others that are left out, the pixels' order."""

    label: int | None = None
    left_out: list[int] = field(default_factory=list)
    order: tuple[int, ...] = ()
    said: list[str] = field(default_factory=list)


def label_of(cell: bytes) -> int | None:
    """Return the label that a cell holds, or None if it is blank.

    Raises:
        ValueError: it holds something else; the message says what, as "12" or a word in quotes.
    """
    cell = cell.strip(b"\" '\t")
    if quoted := _QUOTED.match(cell + b"'" if cell.startswith(b"b'") else cell):
        cell = quoted[1].strip(b"'")
    if not cell:
        return None
    text = cell.decode("ascii", "replace")
    if text.lower() in WORDS:
        return WORDS.index(text.lower())
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not number.is_integer():
        raise ValueError(f'"{shown(text, 40)}"')
    if not 0 <= number <= 9:
        raise ValueError(shown(text, 40))
    return int(number)


def roles_of(sample: Sample, wishes: Wishes) -> Roles:
    """Decide what each column is.

    Raises:
        Question: it cannot be decided.
    """
    roles = Roles()
    pixels = _named_pixels(sample.names)
    known = _known(sample, wishes, roles)
    if pixels:
        rest = sorted(set(range(sample.columns)) - set(pixels))
        if pixels != tuple(sorted(pixels)):
            roles.order = pixels
            roles.said.append("The pixels are taken in the order of the columns' names.")
    else:
        rest = _unnamed(sample, known, wishes)
    _assign(sample, rest, known, wishes, roles)
    return roles


def _bare(name: str) -> str:
    return _BARE.sub("", name.lower())


def _known(sample: Sample, wishes: Wishes, roles: Roles) -> dict[int, str]:
    """Return the columns whose role is known by what the sender says, and by their names."""
    found: dict[int, str] = {}
    wanted = _wanted(sample, wishes)
    if wanted is not None:
        found[wanted] = LABEL
    for place, name in enumerate(sample.names):
        if place == wanted:
            continue
        if _bare(name) in INDEXES:
            found[place] = INDEX
        elif _bare(name) in LABELS:
            found[place] = LABEL if not wishes.label_column else INDEX
    labels = [place for place, role in found.items() if role == LABEL]
    if len(labels) > 1:
        names = " and ".join(f"“{shown(sample.names[place], 40)}”" for place in labels)
        raise _ask(f"the columns {names} may both hold the labels")
    return found


def _wanted(sample: Sample, wishes: Wishes) -> int | None:
    """Return the column of labels that the sender names."""
    text = wishes.label_column.strip()
    if not text or text.lower() == "none":
        return None
    if sample.columns == PIXELS:
        raise _ask("the rows have 784 values, and none is left for a label (label_column none)")
    lowered = [name.strip().lower() for name in sample.names]
    if text.lower() in lowered:
        return lowered.index(text.lower())
    if text.lower() in ("first", "last"):
        return 0 if text.lower() == "first" else sample.columns - 1
    if text.isascii() and text.isdigit() and 1 <= int(text) <= sample.columns:
        return int(text) - 1
    raise _ask(f"there is no column “{shown(text, 40)}”")


def _ask(reason: str) -> Question:
    return Question(
        f"{reason}: say with the option label_column which column holds the labels (first, last, a"
        " name, a number from 1, or none)",
        "label_column",
    )


def _named_pixels(names: Sequence[str]) -> tuple[int, ...]:
    """Return the columns whose names number 784 pixels, in that order; none if there are others."""
    groups: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    for place, name in enumerate(names):
        name = name.strip().lower()
        if placed := _PLACED.match(name):
            groups.setdefault("x", []).append(((int(placed[1][:9]), int(placed[2][:9])), place))
        elif counted := _COUNTED.match(name):
            groups.setdefault(counted[1], []).append(((int(counted[2][:9]),), place))
    for group in groups.values():
        numbers = {number for number, _ in group}
        if len(group) == len(numbers) == PIXELS:
            return tuple(place for _, place in sorted(group))
    return ()


def _unnamed(sample: Sample, known: dict[int, str], wishes: Wishes) -> list[int]:
    """Return the columns that are no pixels, where names do not tell the pixels."""
    others = sample.columns - PIXELS
    if len(known) >= others:
        return sorted(known)[:others] if len(known) == others else _too_many(known)
    free = [place for place in range(sample.columns) if place not in known]
    missing = others - len(known)
    if not len(sample.cells):
        return sorted([*known, *free[:missing]])
    fits = {}
    if missing > MOST_OTHERS:
        raise _uncertain(sample, others)
    for before in range(missing + 1):
        chosen = [*free[:before], *free[len(free) - missing + before :]]
        edge = [*free[:missing], *free[len(free) - missing :]]
        fits[tuple(chosen)] = _fit(sample, chosen, set(edge) - set(chosen))
    ranked = sorted(fits, key=lambda one: fits[one], reverse=True)
    best, second = fits[ranked[0]], fits[ranked[1]]
    if best < 0.6 or second > 0.75 * best:
        raise _uncertain(sample, others)
    return sorted([*known, *ranked[0]])


def _uncertain(sample: Sample, others: int) -> Question:
    return _ask(
        f"the rows have {sample.columns} values, {others} more than pixels, and it is not certain"
        " whether the labels come first or last"
    )


def _too_many(known: dict[int, str]) -> list[int]:
    raise _ask(f"the columns {', '.join(str(place + 1) for place in sorted(known))} are no pixels")


def _fit(sample: Sample, chosen: Iterable[int], pixels: Iterable[int]) -> float:
    """Return in how many of the rows some columns may be labels or an index, and others paper."""
    left = sample.numbers[:, 4:60]
    left = left[~np.isnan(left)]
    paper = float(np.median(left)) if left.size else float("nan")
    fitting = np.ones(len(sample.cells), bool)
    for place in chosen:
        fitting &= (
            _counts_up(sample, place) | _are_labels(sample, place) | _are_words(sample, place)
        )
        if _are_always(sample, place, paper):
            fitting &= False  # as the first pixel of each row
    for place in pixels:
        fitting &= sample.numbers[:, place] == paper
    return float(fitting.mean())


def _are_always(sample: Sample, place: int, value: float) -> bool:
    return bool((sample.numbers[:, place] == value).all())


def _counts_up(sample: Sample, place: int) -> Mask:
    """Return in which rows a column holds the row's number, counted from 0 or 1."""
    numbers = sample.numbers[:, place]
    if not len(numbers) or numbers[0] not in (0, 1):
        return np.zeros(len(numbers), bool)
    counted: Mask = numbers == numbers[0] + np.arange(len(numbers))
    counted[sample.head :] = numbers[sample.head :] >= sample.head
    return counted


def _are_labels(sample: Sample, place: int) -> Mask:
    numbers = sample.numbers[:, place]
    return np.isin(numbers, range(10)) | _are_words(sample, place, blank=True)


def _are_words(sample: Sample, place: int, blank: bool = False) -> Mask:
    """Return in which rows a column holds words: labels, or with `blank` also nothing."""
    found = np.isnan(sample.numbers[:, place])
    for row in np.flatnonzero(found):
        try:
            found[row] = label_of(sample.cells[row][place]) is not None or blank
        except ValueError:
            found[row] = False
    return found


def _kind(sample: Sample, place: int) -> str:
    """Return what a column's values look like: label, index, either, blank or other."""
    if not len(sample.cells):
        return "blank"
    numbers = sample.numbers[:, place]
    if not any(row[place].strip(b"\" '") for row in sample.cells):
        return "blank"
    labels = float(_are_labels(sample, place).mean())
    if _counts_up(sample, place).mean() > 0.9:
        return "either" if labels == 1 else INDEX
    if labels >= 0.5:
        return LABEL
    distinct = len({row[place] for row in sample.cells}) == len(sample.cells)
    return INDEX if distinct or np.isnan(numbers).all() else "other"


def _assign(
    sample: Sample, rest: list[int], known: dict[int, str], wishes: Wishes, roles: Roles
) -> None:
    """Give each column that is no pixel its role."""
    free = []
    for place in rest:
        role = known.get(place)
        if role == LABEL:
            roles.label = place
        elif role == INDEX:
            roles.left_out.append(place)
        else:
            free.append(place)
    _check_label(sample, wishes, roles)
    kinds = {place: _kind(sample, place) for place in free}
    for place in free:
        _assign_by_values(sample, place, kinds, wishes, roles)
    if roles.label is None and not wishes.label_column:
        _check_index(sample, roles)
    if roles.left_out:
        roles.left_out.sort()
        names = [_shown(sample, place) for place in roles.left_out]
        roles.said.append(f"Left out, as no pixels and no labels: {', '.join(names)}.")
    if roles.label is not None:
        _say_blank(sample, roles.label, roles)
    if roles.label is not None and roles.label not in known:
        roles.said.append(
            f"The labels are taken from {_shown(sample, roles.label)} (label_column)."
        )


def _say_blank(sample: Sample, place: int, roles: Roles) -> None:
    if not all(row[place].strip(b"\"' \t") for row in sample.cells):
        roles.said.append("Rows without a label are read, and count neither as right nor as wrong.")


def _check_label(sample: Sample, wishes: Wishes, roles: Roles) -> None:
    """Look at the values of a column that is the label by its name."""
    if roles.label is None or not len(sample.cells):
        return
    kind = _kind(sample, roles.label)
    if kind == "blank":
        roles.left_out.append(roles.label)
        roles.label = None
    elif kind in (INDEX, "other") and not wishes.label_column and len(sample.cells) > 2:
        raise _ask(f"{_shown(sample, roles.label)} holds other values than 0 to 9")


def _check_index(sample: Sample, roles: Roles) -> None:
    """Look at the values of columns that are an index by their names, where no label is found."""
    for place in roles.left_out:
        kind = _kind(sample, place)
        is_named = bool(sample.names and _bare(sample.names[place]))
        is_short = len(sample.cells) < LEAST_COUNTED and not is_named
        if kind == LABEL or (kind == "either" and is_short):
            raise _ask(f"{_shown(sample, place)} may hold labels, or an index")


def _assign_by_values(
    sample: Sample, place: int, kinds: Mapping[int, str], wishes: Wishes, roles: Roles
) -> None:
    kind = kinds[place]
    if wishes.label_column or kind in (INDEX, "blank", "other"):
        if kind == "other" and not wishes.label_column:
            raise _ask(f"{_shown(sample, place)} is neither a label nor an index")
        roles.left_out.append(place)
    elif kind == "either":
        if LABEL not in kinds.values() and roles.label is None:
            raise _ask(f"{_shown(sample, place)} may hold labels, or an index")
        roles.left_out.append(place)
    elif roles.label is not None:
        raise _ask(
            f"{_shown(sample, roles.label)} and {_shown(sample, place)} may both hold the labels"
        )
    else:
        roles.label = place


def _shown(sample: Sample, place: int) -> str:
    name = sample.names[place].strip() if sample.names else ""
    if name:
        return f"the column “{shown(name, 40)}”"
    return f"the {_ordinal(place, sample.columns)} column"


def _ordinal(place: int, columns: int) -> str:
    if place in (0, 1):
        return ("first", "second")[place]
    return "last" if place == columns - 1 else f"{place + 1}th"
