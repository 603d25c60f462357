"""Which pieces of ink are one digit, and in which order the digits are read."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from worker.arrays import Integers, Pixels
from worker.images.holes import find_holes
from worker.images.marks import Found, Mark, find_marks, find_slashes
from worker.images.pieces import Piece, components
from worker.images.struck import is_struck_out

# The finding of digits was developed while generated pages, letters and noise were looked at
# (benchmarks.collections with seed 1). The version history does not show which of them each value
# was set on, and holds no other values than those named here.
# Lengths below are shares of the height of the image's digits.
DUST = 0.06  # smaller pieces are dropped before strokes are joined
SPECK = 0.22  # smaller digits are dropped after it
LOWEST = 0.3  # digits that are less high are dashes
NEAR = 0.14  # a small piece this near to another is a part of its broken stroke; 0.12 before
STACKED = 0.3  # a piece this near above another is a part of it, as the bar of a 5
EDGE = 0.25  # of the image: a longer piece along its rim is not a digit, unless it is as
CUT = (0.4, 1.5)  # high as these shares of the digits within,
CUT_WIDTH = 6.0  # not wider than this,
CONTACT = 0.5  # and touches the rim with this share of its length, or is no wider than a digit
CONTACT_IN_SMALL = 0.8  # the same in an image below LARGE, in which a digit is cut with more of it
LITTLE = 0.1  # of the ink that is left out at the rim: what is read beside it is next to nothing
LEFT_AT_RIM = 0.1  # of the digits' height: ink at the rim that is left out counts from this on
AS_SHARP = 0.5  # of other ink: shade is less sharp
TALL, TALL_IN_SMALL = 0.05, 0.2  # of the image, and of one below LARGE: what may be a digit
SMALLEST = 0.012  # of the image: a smaller piece is not a digit
SOFT = 0.06  # of the image: ink along its rim whose edges are wider is shade
LARGE = 100  # pixels: in smaller images, all edges are soft
MOST_PIECES = 1000  # of a picture full of noise, the largest; 200 before, as joining took longer
NOISE, PIECES = 100, 4  # pieces of an image, and of a digit: more are noise
_NOWHERE = (10**7,) * 4  # the box of a piece that was joined to another
WITH_BAR = 1.35  # a digit with a bar that is a piece of its own is no wider,
WITH_FLAG = 1.6  # and this one, where the bar is at its right end, in its upper
UPPER = 0.3  # share
ASTRAY = 0.5  # a digit this far off the slope of a line does not belong to it
LONGEST = 1.2  # width to height of one digit
WIDE_IF_STRUCK = 0.6  # a digit that was struck out is at least so wide,
LEAST_IF_STRUCK = 0.5  # and so high
TALLEST = 1.6  # a higher piece is two digits, one above the other; 1.35 before the bars of 5s


@dataclass(frozen=True)
class Layout:
    """What stands where in an image.

    labels: the component of each pixel: int32, the shape of the image; 0 is paper.
    lines: from top to bottom, each with its digits from left to right.
    marks: those between the digits of each line, from left to right.
    struck_out: the digits that were struck out.
    too_many: how many pieces were too many to look at.
    is_cut: whether ink at the rim was left out that may belong to a digit that the rim cuts.
    is_noise: whether there are far more pieces than of digits with broken strokes.
    """

    labels: Integers
    lines: list[list[Piece]]
    marks: list[list[Mark]]
    struck_out: set[Piece] = field(default_factory=set)
    too_many: int = 0
    is_cut: bool = False
    is_noise: bool = False


def find_lines(ink: Pixels, threshold: int) -> Layout:
    """Find the digits in an image of ink.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.
        threshold: connected pixels above this are one component.
    """
    labels, found = components(ink, threshold)
    found = _without_shade(found, ink, labels)
    holes = find_holes(found, labels)
    found = [piece for piece in found if piece not in holes]
    pieces = _without_edges(found, labels)
    if max((piece.side for piece in pieces), default=0) < SMALLEST * max(ink.shape):
        return Layout(labels, [], [])
    height = _digit_height(pieces)
    marks = find_marks(pieces, labels, height)
    in_marks = {piece for _, own, _ in marks for piece in own}
    strokes = [p for p in pieces if p.side >= DUST * height and p not in in_marks]
    strokes.sort(key=lambda piece: -piece.side)
    digits = _join(strokes[:MOST_PIECES], height)
    too_many = len([piece for piece in strokes[MOST_PIECES:] if piece.side >= SPECK * height])
    largest = max(digits, key=_ink_of_one)
    digits = [
        digit
        for digit in digits
        if digit.side >= SMALLEST * max(ink.shape) and not _is_dirt(digit, height, largest)
    ]
    # A dash alone in an image may still be meant: it is left to the model.
    digits = digits or [max(pieces, key=lambda piece: piece.side)]
    is_cut = _is_left_at_rim(found, digits, labels, height)
    lines, marked = _with_marks(_lines(digits), marks, labels)
    return Layout(
        labels,
        lines,
        marked,
        _struck_out(lines, labels, height),
        too_many,
        is_cut,
        is_noise=len(strokes) > max(NOISE, PIECES * len(digits)),
    )


def _is_left_at_rim(
    found: list[Piece], digits: list[Piece], labels: Integers, height: float
) -> bool:
    """Return whether a piece that reaches the rim, and may be a part of a digit, is in no digit.

    What is larger than the digits may be one where it touches the rim with a small part of itself.
    """
    most = CONTACT if min(labels.shape) >= LARGE else CONTACT_IN_SMALL
    kept = {number for digit in digits for number in digit.parts}
    left = [piece for piece in found if kept.isdisjoint(piece.parts)]
    most_ink = max((piece.area for piece in left if _touches_rim(piece, labels.shape)), default=0)
    if sum(digit.area for digit in digits) < LITTLE * most_ink:
        return True
    return any(
        LEFT_AT_RIM * height <= piece.side
        and _touches_rim(piece, labels.shape)
        and (
            (piece.width <= CUT_WIDTH * height and piece.height <= CUT[1] * height)
            or _contact(piece, labels) <= most
        )
        for piece in left
    )


def _touches_rim(piece: Piece, shape: tuple[int, ...]) -> bool:
    height, width = shape
    at_side = piece.x == 0 or piece.right == width
    return at_side or piece.y == 0 or piece.bottom == height


def _with_marks(
    lines: list[list[Piece]], marks: list[Found], labels: Integers
) -> tuple[list[list[Piece]], list[list[Mark]]]:
    """Return the lines without the slashes that are in them, and the marks of each line."""
    of_part = {part: n for n, line in enumerate(lines) for digit in line for part in digit.parts}
    marked: list[list[Mark]] = [[] for _ in lines]
    for mark, _, neighbour in marks:
        if neighbour.parts[0] in of_part:
            marked[of_part[neighbour.parts[0]]].append(mark)
    digits = []
    for line, own in zip(lines, marked, strict=True):
        slashes, unsure = find_slashes(line, labels)
        digits.append([digit for digit in line if digit not in slashes])
        own += [Mark.of("/", slash) for slash in slashes]
        own += [Mark.of("", stroke) for stroke in unsure]
        own.sort(key=lambda mark: mark.middle)
    return digits, marked


def _struck_out(lines: list[list[Piece]], labels: Integers, height: float) -> set[Piece]:
    """Return the digits that were struck out; a digit that is alone in its image is not."""
    digits = [digit for line in lines for digit in line]
    if len(digits) == 1:
        return set()
    return {digit for digit in digits if _is_struck_out(digit, labels, height)}


def _is_struck_out(digit: Piece, labels: Integers, height: float) -> bool:
    """Return whether a piece is a digit that was struck out, and so stands out beside others."""
    if digit.width < WIDE_IF_STRUCK * height or digit.height < LEAST_IF_STRUCK * height:
        return False
    return is_struck_out(digit.mask(labels))


def _without_shade(pieces: list[Piece], ink: Pixels, labels: Integers) -> list[Piece]:
    """Return the pieces that are not soft shade along the rim: ink has edges.

    What touches the rim with a small part of itself alone, or is about as sharp as what surely is
    no shade, is none.
    """
    soft = [piece for piece in pieces if _may_be_shade(piece, ink, labels)]
    if not soft:
        return pieces
    others = [piece for piece in pieces if piece not in soft]
    others.sort(key=lambda one: -one.area)
    sharp = [_sharpness(one, ink, labels) for one in others[:3]]
    least = AS_SHARP * float(np.median(sharp)) if sharp else np.inf
    shade = {id(one) for one in soft if _sharpness(one, ink, labels) < least}
    return [piece for piece in pieces if id(piece) not in shade]


def _may_be_shade(piece: Piece, ink: Pixels, labels: Integers) -> bool:
    """Return whether a piece lies along the rim, touches it with most of a side, and is soft."""
    if min(ink.shape) < LARGE or not _is_edge(piece, ink.shape):
        return False
    is_soft = _sharpness(piece, ink, labels) * SOFT * min(ink.shape) < 1
    return is_soft and _contact(piece, labels) > CONTACT


def _sharpness(piece: Piece, ink: Pixels, labels: Integers) -> float:
    """Return the steepest change of a piece's ink from pixel to pixel, as a share of that."""
    own = np.where(piece.mask(labels), ink[piece.place], 0)
    smooth = cv2.GaussianBlur(own, (0, 0), 2).astype(np.float32)
    steps = [np.abs(np.diff(smooth, axis=n)) for n in (0, 1) if smooth.shape[n] > 1]
    steepest = max((float(np.percentile(step, 99)) for step in steps), default=0.0)
    return steepest / max(float(np.percentile(smooth, 99)), 1e-6)


def _contact(piece: Piece, labels: Integers) -> float:
    """Return the greatest share of one of its sides with which a piece touches the rim."""
    height, width = labels.shape
    own = piece.mask(labels)
    sides = [
        (piece.x == 0, own[:, 0]),
        (piece.right == width, own[:, -1]),
        (piece.y == 0, own[0]),
        (piece.bottom == height, own[-1]),
    ]
    return max((float(ink.mean()) for is_at_rim, ink in sides if is_at_rim), default=0.0)


def _is_edge(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Return whether a piece lies along the rim of the image."""
    height, width = shape
    at_side = piece.x == 0 or piece.right == width
    at_end = piece.y == 0 or piece.bottom == height
    return (at_end and piece.width > EDGE * width) or (at_side and piece.height > EDGE * height)


def _without_edges(pieces: list[Piece], labels: Integers) -> list[Piece]:
    """Return the pieces without page edges and shadows at the rim, if there is other ink.

    What may be a digit that the rim cuts stays.
    """
    inner = [piece for piece in pieces if not _is_edge(piece, labels.shape)]
    least = TALL if min(labels.shape) >= LARGE else TALL_IN_SMALL
    tall = [piece for piece in inner if piece.side >= least * max(labels.shape)]
    if not tall or len(inner) == len(pieces):
        return pieces
    height = _digit_height(tall)
    return [
        piece
        for piece in pieces
        if not _is_edge(piece, labels.shape) or _may_be_cut(piece, labels, height)
    ]


def _may_be_cut(piece: Piece, labels: Integers, height: float) -> bool:
    """Return whether a piece along the rim may be digits that the rim cuts."""
    least, most = CUT
    if not (least * height <= piece.height <= most * height and piece.side >= least * height):
        return False
    if piece.width <= LONGEST * height:
        return True
    own = piece.mask(labels)
    at_rim = [
        own[row] for row, there in ((0, piece.y == 0), (-1, piece.bottom == len(labels))) if there
    ]
    touched = max((float(one.mean()) for one in at_rim), default=0.0)
    return piece.width <= CUT_WIDTH * height and touched <= CONTACT


def _digit_height(pieces: list[Piece]) -> float:
    """Return the height of the image's digits: the 60th percentile of pieces, weighted by ink.

    Several digits that touch form a long piece that is no higher than one digit.
    """
    sides = np.array([min(piece.side, LONGEST * piece.height) for piece in pieces], float)
    if len(sides) == 1:
        return float(sides[0])
    order = np.argsort(sides)
    ink = np.cumsum(np.array([piece.area for piece in pieces])[order])
    return float(sides[order][np.searchsorted(ink, ink[-1] * 0.6)])


def _ink_of_one(digit: Piece) -> float:
    """Return the ink of a piece, or about that of one digit of several that touch, in pixels."""
    return digit.area * min(1.0, LONGEST * digit.height / digit.width)


def _is_dirt(digit: Piece, height: float, largest: Piece) -> bool:
    """Return whether a piece is a speck, a dash, or the edge of another object, not a digit.

    Args:
        height: of the image's digits, or what the width of one of them says it is.
        largest: the digit with most ink.
    """
    is_low = digit.height < 0.8 * min(height, largest.height)
    is_narrow = digit.width < 0.3 * digit.height
    sliver = is_low and is_narrow and digit.area < 0.12 * _ink_of_one(largest)
    return digit.side < SPECK * height or digit.height < LOWEST * height or sliver


def _join(pieces: list[Piece], height: float) -> list[Piece]:
    """Join pieces to digits, the smallest and nearest first, until no two belong together."""
    pieces = list(pieces)
    boxes = np.zeros((2 * len(pieces), 4), int)  # also of the pieces that come of joining
    boxes[: len(pieces)] = [(p.x, p.right, p.y, p.bottom) for p in pieces]
    gone: set[int] = set()
    # For each piece, its pairs with those before it, the first to join first. The heap has the
    # next pair of each, and no more: of noise, nearly all are pairs.
    following = [_pairs_to_join(pieces, boxes, gone, place, height) for place in range(len(pieces))]
    pairs = [pair for own in following if (pair := next(own, None))]
    heapq.heapify(pairs)
    while pairs:
        *_, i, j = heapq.heappop(pairs)
        if j in gone:
            continue
        if i not in gone:
            gone.update((i, j))
            boxes[[i, j]] = _NOWHERE
            piece = pieces[i].joined(pieces[j])
            j = len(pieces)
            boxes[j] = piece.x, piece.right, piece.y, piece.bottom
            pieces.append(piece)
            following.append(_pairs_to_join(pieces, boxes, gone, j, height))
        if pair := next(following[j], None):
            heapq.heappush(pairs, pair)
    return [piece for place, piece in enumerate(pieces) if place not in gone]


def _pairs_to_join(
    pieces: list[Piece], boxes: Integers, gone: set[int], place: int, height: float
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the pairs of a piece and those before it that are strokes of one digit, in the order of
    joining: (size of the smaller, distance, index, index)."""
    left, right, top, bottom = boxes[:place].T
    x0, x1, y0, y1 = boxes[place]
    apart = np.maximum(np.maximum(left - x1, x0 - right), np.maximum(top - y1, y0 - bottom))
    near = np.flatnonzero(apart <= STACKED * height)
    if not len(near):
        return
    sides = np.maximum(right - left, bottom - top)[near]
    smaller = np.minimum(sides, max(x1 - x0, y1 - y0))
    distances = np.maximum(apart[near], 0)
    order = np.lexsort((near, distances, smaller))
    piece = pieces[place]
    for n in order.tolist():
        other = int(near[n])
        if other not in gone and _are_one(pieces[other], piece, height):
            yield int(smaller[n]), int(distances[n]), other, place


def _are_one(a: Piece, b: Piece, height: float) -> bool:
    """Return whether two pieces are strokes of one digit."""
    small, large = (a, b) if a.height <= b.height else (b, a)
    high = max(a.bottom, b.bottom) - min(a.y, b.y)  # of both together
    if high > TALLEST * height and high > 1.15 * large.height:
        return False
    distance = _distance(a, b)
    shared = _shared(a.x, a.right, b.x, b.right)
    if shared >= 0.5 and small.height < 0.7 * height:
        return distance <= STACKED * height
    flat = small.width >= 1.3 * small.height  # as the bar of a 5 is
    if small.side < (0.85 if flat else 0.45) * height:
        widest = (WITH_BAR if flat else 1.1) * max(height, large.width)
        if flat and _is_flag(small, large):
            widest = WITH_FLAG * height
        wide = max(a.right, b.right) - min(a.x, b.x)
        return distance <= NEAR * height and wide <= widest
    return shared >= 0.25 and small.height < 0.45 * height and distance <= NEAR * height


def _is_flag(flat: Piece, large: Piece) -> bool:
    """Return whether a flat piece is at the upper right end of another, as that of a 5 is."""
    is_up = flat.y + flat.height / 2 <= large.y + UPPER * large.height
    return is_up and flat.x >= large.x + large.width / 2


def _lines(digits: list[Piece]) -> list[list[Piece]]:
    """Chain digits that stand side by side, so that a line may climb or fall."""
    lines: list[list[Piece]] = []
    for digit in sorted(digits, key=lambda digit: digit.x):
        beside = [line for line in lines if _continues(line, digit)]
        if beside:
            min(beside, key=lambda line: _distance(line[-1], digit)).append(digit)
        else:
            lines.append([digit])
    if len(lines) == 1:
        return lines
    return sorted(lines, key=lambda line: float(np.mean([d.y + d.height / 2 for d in line])))


def _continues(line: list[Piece], digit: Piece) -> bool:
    """Return whether a digit continues a line: beside its last digit, or along its slope."""
    last = line[-1]
    if _shared(last.y, last.bottom, digit.y, digit.bottom) >= 0.3:
        return True
    if len(line) < 3 or digit.x - last.right > last.side:
        return False
    # From the middle of the last three; no NumPy, as this is done thousands of times.
    x, y = zip(*((p.x + p.width / 2, p.y + p.height / 2) for p in line[-3:]), strict=True)
    middle, centre = sum(x) / 3, sum(y) / 3
    spread = sum((one - middle) ** 2 for one in x)
    if max(x) - min(x) < 1:  # they stand above each other
        return False
    slope = sum((a - middle) * (b - centre) for a, b in zip(x, y, strict=True)) / spread
    x, y = (*x, digit.x + digit.width / 2), (*y, digit.y + digit.height / 2)
    astray = (abs(b - centre - slope * (a - middle)) for a, b in zip(x, y, strict=True))
    return bool(max(astray) <= ASTRAY * last.side)


def _distance(a: Piece, b: Piece) -> int:
    """Return the distance of two boxes along the farther axis; 0 where they overlap."""
    return max(a.x - b.right, b.x - a.right, a.y - b.bottom, b.y - a.bottom, 0)


def _shared(start: int, end: int, other_start: int, other_end: int) -> float:
    """Return the overlap of two spans as a share of the shorter; negative where they are apart."""
    overlap = min(end, other_end) - max(start, other_start)
    return overlap / min(end - start, other_end - other_start)
