"""Marks between digits: point, comma, minus, slash and colon, by their shape and their place.

A mark is known by its size and place beside the digits before and after it: alone, a point is a
speck, and a minus a dash.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from worker.arrays import Floats, Integers, Mask
from worker.images.pieces import Piece

# Tuned on benchmarks.complaints (between, seed 1), while pages and strings of
# benchmarks.collections (seed 1), which have no marks, were looked at. Lengths are shares of the
# height of the digits beside a mark, where nothing else is said.
LARGE = 0.55  # a digit beside a mark is at least so high
MOST = 300  # of an image: more small pieces than these are noise
SMALL = 0.5  # the longer side of a point or a comma at most,
LEAST = 0.04  # and at least
PENS = (0.35, 3.0)  # the thickness of a mark in strokes of the pen that wrote the digits
POINT = 0.5  # the least of that for a point, which is at least as broad as a stroke by its pen
FAR = 0.8  # a mark is no farther than this from the digits on both its sides,
AT_END = 0.45  # and no farther from the one beside it at an end of the line
WITHIN = 0.05  # its middle is no farther within the box of a digit, as a part of one may be
NEAR = 0.02  # nor nearer than this to either, as the parts of a broken stroke are
LOW = (0.78, 1.3)  # the middle of a point, from the top of the digits
COMMA = (0.6, 1.0, 1.7)  # a comma begins below the first, and ends between the others
HANGING = 1.12  # and may touch the box of a digit's foot where it ends below this
TAIL = 1.45  # times as long as broad: a comma, not a point
UPPER = (0.1, 0.72)  # the middle of the upper point of a colon,
LOWER = 0.55  # that of its lower point at least,
ASIDE = 0.22  # so far to the side of the lower one at most
MINUS = (0.25, 0.78)  # the middle of a minus,
LEVEL = 62  # degrees from upright: a minus lies farther from it, a comma less far
FLAT = 1.9  # times as wide as high at least,
WIDE = (0.16, 1.1)  # and so wide
SOLID = 0.6  # the share of its box that a point fills
LARGEST = 0.3  # a point is not higher or wider
# A slash is a straight stroke between two digits,
STRAIGHT = (0.7, 0.024)  # that bends by so many pixels or this share of its length at most,
RULED = (0.5, 0.012)  # or by these, where only its straightness tells it from a 1
THIN = 0.22  # and is no thicker than this share of it;
HIGHER = 1.18  # higher than the digits,
LEANS = (8.0, 4.0)  # and leans so many degrees to the right, and more than the other digits,
HIGHEST = 1.2  # unless it is so much higher;
# or, in what may be a date, as high as they are, and leans far more.
AS_HIGH = 0.9
LEANS_FAR = (11.0, 14.0)
RULE = "|"  # the sign of a rule, which is shown as a space


@dataclass(frozen=True, eq=False)
class Mark:
    """A mark between the digits of a line, or a rule, as between the cells of a table.

    sign: one of . , - / : or RULE, or nothing, where a digit of the line may be a slash.
    x, y, width, height: its box, in the pixels of the shapes of its line.
    """

    sign: str
    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, sign: str, piece: Piece) -> "Mark":
        return cls(sign, piece.x, piece.y, piece.width, piece.height)

    @property
    def middle(self) -> float:
        """Its middle column."""
        return self.x + self.width / 2


# A mark, its pieces, and a piece of a digit that it stands beside.
Found = tuple[Mark, list[Piece], Piece]


@dataclass(frozen=True)
class _Place:
    """Where a piece stands among digits: its distance from those on its left and its right, of
    which there is one at least, and their top and bottom."""

    before: float | None
    after: float | None
    top: float
    bottom: float
    neighbour: Piece

    @property
    def apart(self) -> float:
        """The distance from the nearer one."""
        return min(one for one in (self.before, self.after) if one is not None)

    def level(self, y: float) -> float:
        """Return a row as a share of the digits' height, from their top."""
        return (y - self.top) / max(1.0, self.bottom - self.top)


@dataclass(frozen=True)
class _Stroke:
    """The length and thickness of a stroke in pixels, and by how many degrees it is not upright."""

    length: float
    thick: float
    tilt: float


@dataclass(frozen=True)
class _Seen:
    """A small piece, its place, and what it may be: one of . , - or ' (a higher point)."""

    piece: Piece
    place: _Place
    sign: str


def find_marks(pieces: list[Piece], labels: Integers, height: float) -> list[Found]:
    """Find points, commas, minus signs and colons.

    Args:
        pieces: of the image's ink, none joined.
        labels: the component of each pixel.
        height: of the image's digits.

    """
    large = [piece for piece in pieces if piece.height >= LARGE * height]
    small = [piece for piece in pieces if _is_small(piece, height)]
    if not large or not 0 < len(small) <= MOST:
        return []
    pen = _pen(large, labels)
    rows = np.array([(one.y, one.bottom) for one in large]).T
    seen = []
    for piece in small:
        place = _place(piece, large, rows, labels, height)
        sign = "" if place is None else _sign(piece, place, labels, height, pen)
        if len(large) == 1 and sign != "-":
            continue  # a lone digit has specks beside it, but no decimal point
        if place is not None and sign:
            seen.append(_Seen(piece, place, sign))
    return _marks(seen, small, height)


def _is_small(piece: Piece, height: float) -> bool:
    is_flat = piece.width >= FLAT * piece.height and piece.width <= WIDE[1] * height
    return piece.side >= LEAST * height and (piece.side <= SMALL * height or is_flat)


def _pen(large: list[Piece], labels: Integers) -> float:
    """Return how thick the strokes of the digits are, in pixels."""
    deep = []
    for piece in large[:20]:
        own = np.pad(piece.mask(labels), 1).view(np.uint8)
        depth = cv2.distanceTransform(own, cv2.DIST_L2, 3)
        # Along a stroke, the distance from its rim goes from half a pixel to half its thickness.
        deep.append(4 * float(depth[own > 0].mean()) - 1)
    return max(1.0, float(np.median(deep)))


def _place(
    piece: Piece, large: list[Piece], rows: Integers, labels: Integers, height: float
) -> _Place | None:
    """Return where a piece stands among the digits of its line; None where it is beside none."""
    middle = piece.y + piece.height / 2
    reach = 0.6 * height
    middle_x = piece.x + piece.width / 2
    beside = np.flatnonzero((rows[0] - reach <= middle) & (middle <= rows[1] + reach))
    nearest: list[tuple[float, Piece] | None] = [None, None]
    for one in (large[index] for index in beside.tolist()):
        if max(one.x - piece.right, piece.x - one.right) > FAR * height or one is piece:
            continue
        left, right = _span(one, piece, labels, height)
        before, after = piece.x - right, left - piece.right
        if max(before, after) < -0.5 * piece.width:
            return None  # it stands above or below a digit, or within one
        if one.x + WITHIN * height < middle_x < one.right - WITHIN * height:
            return None
        side, apart = (0, before) if before >= after else (1, after)
        known = nearest[side]
        if known is None or apart < known[0]:
            nearest[side] = apart, one
    both = [one for one in nearest if one is not None]
    if not both or (len(both) == 1 and both[0][0] > AT_END * height):
        return None
    digits = [one for _, one in both]
    return _Place(
        nearest[0][0] if nearest[0] else None,
        nearest[1][0] if nearest[1] else None,
        float(np.mean([one.y for one in digits])),
        float(np.mean([one.bottom for one in digits])),
        min(both, key=lambda one: one[0])[1],
    )


def _span(digit: Piece, piece: Piece, labels: Integers, height: float) -> tuple[int, int]:
    """Return the columns of a digit's ink in the rows about a piece, or at its foot."""
    around = round(0.2 * height)
    top = min(max(0, piece.y - around - digit.y), max(0, digit.height - around))
    bottom = max(top + 1, piece.bottom + around - digit.y)
    own = digit.mask(labels)[top:bottom]
    columns = np.flatnonzero(own.any(axis=0))
    if not columns.size:
        return digit.x, digit.right
    return digit.x + int(columns[0]), digit.x + int(columns[-1]) + 1


def _sign(piece: Piece, place: _Place, labels: Integers, height: float, pen: float) -> str:
    """Return what a piece may be by its shape and level, as _Seen has it; empty for no mark."""
    stroke = _stroke(piece.mask(labels))
    if not PENS[0] * pen <= stroke.thick <= PENS[1] * pen:
        return ""
    is_apart = place.apart >= NEAR * height
    if is_apart and _is_minus(piece, place, stroke, height, pen):
        return "-"
    if piece.side > SMALL * height:
        return ""
    if (is_apart or place.level(piece.bottom) >= HANGING) and _is_comma(piece, place, stroke):
        return ","
    if not is_apart or stroke.thick < POINT * pen or not _is_point(piece, stroke, height):
        return ""
    middle = place.level(piece.y + piece.height / 2)
    if LOW[0] <= middle <= LOW[1]:
        return "."
    return "'" if UPPER[0] <= middle < LOW[0] else ""


def _is_minus(piece: Piece, place: _Place, stroke: _Stroke, height: float, pen: float) -> bool:
    is_flat = stroke.tilt > LEVEL and piece.width >= FLAT * piece.height
    is_midst = MINUS[0] <= place.level(piece.y + piece.height / 2) <= MINUS[1]
    is_long = WIDE[0] * height <= piece.width and stroke.length >= FLAT * stroke.thick
    return is_flat and is_midst and is_long and stroke.thick <= 2 * pen


def _is_comma(piece: Piece, place: _Place, stroke: _Stroke) -> bool:
    is_long = stroke.length >= TAIL * stroke.thick and stroke.tilt < LEVEL
    begins, ends = place.level(piece.y), place.level(piece.bottom)
    hangs = begins >= COMMA[0] and COMMA[1] <= ends <= COMMA[2]
    return is_long and hangs and place.before is not None


def _is_point(piece: Piece, stroke: _Stroke, height: float) -> bool:
    is_solid = piece.area >= SOLID * piece.width * piece.height
    return is_solid and stroke.length <= 2 * stroke.thick and piece.side <= LARGEST * height


def _stroke(mask: Mask) -> _Stroke:
    points = np.argwhere(mask).astype(np.float32)
    spread = np.cov(points.T) if len(points) > 1 else np.zeros((2, 2))
    values, vectors = np.linalg.eigh(spread)
    # A box with sides a and b has variances of a * a / 12 and b * b / 12.
    thick, length = (float(np.sqrt(12 * max(0.0, value)) + 0.5) for value in values)
    down, across = np.abs(vectors[:, 1])
    tilt = float(np.degrees(np.arctan2(across, down)))
    return _Stroke(max(length, 1.0), max(thick, 1.0), tilt)


def _marks(
    seen: list[_Seen], small: list[Piece], height: float
) -> list[tuple[Mark, list[Piece], Piece]]:
    """Return the marks that small pieces make: two points, one above the other, are a colon.

    small: all the small pieces of the image.
    """
    found = []
    for one in seen:
        if sum(_are_in_column(one.piece, other, height) for other in small) > 1:
            continue  # a broken line
        upper = [two for two in seen if _are_colon(two, one, height)]
        if upper and None not in (one.place.before, one.place.after):
            both = upper[0].piece.joined(one.piece)
            found.append((Mark.of(":", both), [upper[0].piece, one.piece], one.place.neighbour))
        elif one.sign == "'" or any(_are_in_column(one.piece, other, height) for other in small):
            continue  # an upper point alone, a sign of equality, or the like
        else:
            found.append((Mark.of(one.sign, one.piece), [one.piece], one.place.neighbour))
    return found


def _are_colon(upper: _Seen, lower: _Seen, height: float) -> bool:
    if upper.sign != "'" or lower.sign not in "',.":
        return False
    a, b = upper.piece, lower.piece
    if upper.place.level(a.y + a.height / 2) > UPPER[1]:
        return False
    if lower.place.level(b.y + b.height / 2) < LOWER:
        return False
    aside = abs(a.x + a.width / 2 - b.x - b.width / 2)
    return aside <= ASIDE * height and 0.12 * height <= b.y - a.bottom <= 0.8 * height


def _are_in_column(one: Piece, other: Piece, height: float) -> bool:
    """Return whether another small piece stands above or below this one, in the same line."""
    if one is other or abs(one.y - other.y) > height:
        return False
    shared = min(one.right, other.right) - max(one.x, other.x)
    return shared >= 0.5 * min(one.width, other.width)


def find_slashes(line: list[Piece], labels: Integers) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of a line that are slashes between digits, and those that may be either.

    Args:
        line: the pieces from left to right.
        labels: the component of each pixel.
    """
    leans = [_lean_of_stroke(piece, labels) for piece in line]
    strokes = [n for n in range(1, len(line) - 1) if (leans[n] or 0.0) > 0]
    if not strokes:
        return [], []
    usual = float(np.median([piece.height for piece in line]))
    slants = [_slant(piece, labels) for n, piece in enumerate(line) if leans[n] is None]
    slant = float(np.median(slants)) if slants else 0.0
    found = []
    for number in strokes:
        piece, lean = line[number], leans[number] or 0.0
        is_high = piece.height >= HIGHER * usual
        if not is_high and _lean_of_stroke(piece, labels, RULED) is None:
            continue
        least, more = LEANS if is_high else LEANS_FAR
        leans_more = lean - slant >= more or piece.height >= HIGHEST * usual
        if piece.height >= AS_HIGH * usual and lean >= least and leans_more:
            found.append(piece)
    if not _may_be_date(line, found):
        found = [piece for piece in found if piece.height >= HIGHER * usual]
    leaning = [line[n] for n in strokes if (leans[n] or 0.0) >= LEANS[0]]
    if found:
        high = [piece for piece in leaning if piece.height >= AS_HIGH * usual]
        return _with_another(line, found, high), []
    ruled = [piece for piece in leaning if _lean_of_stroke(piece, labels, RULED) is not None]
    return [], ruled if _may_be_date(line, ruled) else []


def _with_another(line: list[Piece], slashes: list[Piece], strokes: list[Piece]) -> list[Piece]:
    """Return the slash of a line with the stroke that makes a date with it, if there is one."""
    if len(slashes) > 1:
        return slashes
    for stroke in strokes:
        both = [piece for piece in line if piece in (stroke, *slashes)]
        if len(both) == 2 and _may_be_date(line, both):
            return both
    return slashes


def _may_be_date(line: list[Piece], slashes: list[Piece]) -> bool:
    """Return whether two digits stand before the first slash, and two before another."""
    places = [-1, *(line.index(one) for one in slashes), len(line)]
    return [end - start - 1 for start, end in pairwise(places)][:2] == [2, 2]


def _lean_of_stroke(
    piece: Piece, labels: Integers, straight: tuple[float, float] = STRAIGHT
) -> float | None:
    """Return by how many degrees a straight stroke leans to the right; None for other shapes."""
    if piece.width > 1.1 * piece.height:
        return None
    own = piece.mask(labels)
    middle, wide = _middles(own)
    if len(middle) < 8:
        return None
    rows = np.arange(len(middle))
    slope, start = np.polyfit(rows, middle, 1)
    inner = slice(len(rows) // 10, len(rows) - len(rows) // 10)
    length = len(rows) * float(np.hypot(1, slope))
    bend = float(np.abs(middle - start - slope * rows)[inner].max())
    thick = float(np.median(wide)) / float(np.hypot(1, slope))
    if bend > max(straight[0], straight[1] * length) or thick > THIN * length:
        return None
    return -float(np.degrees(np.arctan(slope)))


def _middles(own: Mask) -> tuple[Floats, Integers]:
    """Return the middle and the width of the ink in each row of a piece."""
    own = own[own.any(axis=1)]
    left, right = own.argmax(axis=1), own.shape[1] - own[:, ::-1].argmax(axis=1)
    return (left + right) / 2, right - left


def _slant(piece: Piece, labels: Integers) -> float:
    """Return by how many degrees a digit's ink leans to the right, by its moments."""
    rows, columns = np.nonzero(piece.mask(labels))
    spread = np.cov(rows, columns) if len(rows) > 1 else np.zeros((2, 2))
    return -float(np.degrees(np.arctan2(spread[0, 1], max(float(spread[0, 0]), 1e-6))))
