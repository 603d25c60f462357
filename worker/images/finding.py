"""A grey image -> the digits in it, each as 28x28 pixels like MNIST's."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from worker.arrays import Floats, Mask, Pixels
from worker.images.drawn import without_lines, without_outlines
from worker.images.errors import ImageError
from worker.images.layout import LARGE, SOFT, Layout, find_lines
from worker.images.litter import NEARLY_EMPTY, without_specks, without_staples
from worker.images.lone_lines import CROP, without_lone_lines
from worker.images.paper import LEAST_CONTRAST, find_paper, median, ordered, rim, without_rules
from worker.images.pieces import Piece
from worker.images.ruling import has_fraction, rules_between
from worker.images.shapes import Line, Shape

SIZE = 28
BOX = 20
PLACES = np.arange(SIZE)
WORKING_SIDE = 800  # ink is looked for at this size at most
# Developed while generated pages, letters and noise were looked at (benchmarks.collections, seed
# 1). The version history holds no other values, and not what each was set on.
CLEAR = 24  # ink above this, of 255, belongs to a stroke
SHADED_RIM = 0.05  # the share of the rim in shade from which a page may be empty
DEEPEST_SHADE = 0.45  # of the paper's lightness: a darker region is ink, not shade
# Tuned on benchmarks.complaints (cut and plain, seed 1).
AT_RIM = 48  # ink above this, of 255, at the rim may go on beyond it
NEAR, LEAST_NEAR = 0.05, 2  # of the digits' height, and pixels: ink so near to a side is close
# Tuned on benchmarks.complaints (sparse, seed 1).
PART = 32  # pixels: the side of the parts in which a small number is looked for
OF_PART = 12  # pixels of a part that have its contrast
SMALL = 24  # pixels: digits that are lower are looked at from nearer, where that is possible,
CLOSER = 1.3  # by this factor at least,
ROUND = 1.5  # and with this part of their height around them
FRAMED = 3  # sides of an image at whose rim there is ink: it has a frame
AROUND = 0.15  # of its length: the margin with which a single shape is looked at from near
FAINT = 4  # the same in images below 64 pixels, where faint ink is kept


@dataclass(frozen=True)
class Glyph:
    """One digit found in an image.

    box: (x, y, width, height) in pixels of the image.
    pixels: uint8, shape (28, 28); 0 is paper, 255 is full ink.
    line: the number of its line in the image, from 0.
    """

    box: tuple[int, int, int, int]
    pixels: Pixels
    line: int = 0


@dataclass(frozen=True)
class Page:
    """The ink of an image, in lines from top to bottom, each with its shapes from left to right.

    scale: pixels of the image per pixel of its shapes.
    size: (height, width) of the image.
    too_many: how many pieces of ink were too many to look at.
    is_nearly_empty: whether what was found is so little that a large part of it may be litter.
    is_cut: whether ink at the rim was left out that may belong to a digit that the rim cuts.
    has_fraction: whether a bar stands between two numbers, one above the other.
    is_noise: whether it is a picture full of small pieces, and not of digits.
    """

    lines: list[Line]
    scale: float
    size: tuple[int, int]
    too_many: int = 0
    is_nearly_empty: bool = False
    is_cut: bool = False
    has_fraction: bool = False
    is_noise: bool = False

    @property
    def is_cut_out(self) -> bool:
        """Whether the image was cut out closely around its ink, which is near all of its sides."""
        shapes = [shape for line in self.lines for shape in line]
        if not shapes:
            return False
        height, width = (round(side / self.scale) for side in self.size)
        near = max(LEAST_NEAR, NEAR * max(shape.height for shape in shapes))
        return (
            min(shape.x for shape in shapes) <= near
            and min(shape.y for shape in shapes) <= near
            and max(shape.x + shape.width for shape in shapes) >= width - near
            and max(shape.y + shape.height for shape in shapes) >= height - near
        )

    def sides(self, shape: Shape, line: int) -> set[str]:
        """Return at which sides of the image a shape's ink reaches its rim.

        Args:
            shape: one of those of a line.
            line: the number of that line, from 0.
        """
        height, width = (round(side / self.scale) for side in self.size)
        rims = {
            "left": (shape.x == 0, shape.ink[:, 0]),
            "right": (shape.x + shape.width >= width, shape.ink[:, -1]),
            "top": (shape.y == 0, shape.ink[0]),
            "bottom": (shape.y + shape.height >= height, shape.ink[-1]),
        }
        return {side for side, (is_there, ink) in rims.items() if is_there and ink.max() > AT_RIM}

    def glyph(self, shape: Shape, line: int) -> Glyph:
        """Return a shape as a digit of the image."""
        box = (shape.x, shape.y, shape.width, shape.height)
        return Glyph(
            _whole([length * self.scale for length in box], self.size), pixels_of(shape), line
        )


def find_ink(grey: Pixels) -> Page:
    """Find the shapes in an image that may be digits; an image without ink has none.

    Args:
        grey: uint8, shape (height, width), of any polarity.
    """
    page = _find_ink_from_nearer(grey)
    size = round(page.size[0] / page.scale), round(page.size[1] / page.scale)
    is_crop = page.size[0] <= CROP  # of one character, or of one line of them
    lines = without_lone_lines(
        page.lines, size, is_crop, lambda shape: _ink_from_near(grey, page.scale, shape)
    )
    is_cut = page.is_cut or (not lines and _is_at_rim(page))
    return replace(page, lines=lines, is_cut=is_cut)


def _is_at_rim(page: Page) -> bool:
    """Return whether ink reaches the rim at one side or two: a frame of the page does at more."""
    shapes = [(shape, number) for number, line in enumerate(page.lines) for shape in line]
    sides = {side for shape, number in shapes for side in page.sides(shape, number)}
    return 0 < len(sides) < FRAMED


def _find_ink_from_nearer(grey: Pixels) -> Page:
    """Find the shapes in an image, and look at those that are small from nearer."""
    page = _find_ink(grey)
    part = _small_ink(page)
    if part is None:
        return page
    left, top, right, bottom = part
    closer = _find_ink(grey[top:bottom, left:right])
    if not closer.lines:
        return page
    x, y = round(left / closer.scale), round(top / closer.scale)
    lines = [line.moved(x, y) for line in closer.lines]
    lines = without_specks(lines) if page.is_nearly_empty else lines
    # What was too much at first may lie outside of the part that was looked at.
    too_many = max(page.too_many, closer.too_many)
    return replace(closer, lines=lines, size=page.size, too_many=too_many, is_cut=page.is_cut)


def _small_ink(page: Page) -> tuple[int, int, int, int] | None:
    """Return the part of an image, (left, top, right, bottom) in its pixels, that holds all of its
    ink, where that is small and can be seen from nearer; None elsewhere."""
    shapes = [shape for line in page.lines for shape in line]
    if page.scale < CLOSER or not shapes:
        return None
    if np.median([max(shape.height, shape.width) for shape in shapes]) >= SMALL:
        return None
    margin = ROUND * max(shape.height for shape in shapes)
    left = max(0, round((min(shape.x for shape in shapes) - margin) * page.scale))
    top = max(0, round((min(shape.y for shape in shapes) - margin) * page.scale))
    right = round((max(shape.x + shape.width for shape in shapes) + margin) * page.scale)
    bottom = round((max(shape.y + shape.height for shape in shapes) + margin) * page.scale)
    right, bottom = min(right, page.size[1]), min(bottom, page.size[0])
    scale = max(1.0, max(right - left, bottom - top) / WORKING_SIDE)
    return (left, top, right, bottom) if page.scale >= CLOSER * scale else None


def _ink_from_near(grey: Pixels, scale: float, shape: Shape) -> Pixels:
    """Return the ink of a shape at the full size of the image.

    Args:
        grey: uint8, shape (height, width): the image.
        scale: pixels of the image per pixel of the shape.
    """
    if scale <= 1:
        return shape.ink
    margin = AROUND * max(shape.height, shape.width)
    left, top = (max(0, round((start - margin) * scale)) for start in (shape.x, shape.y))
    right = round((shape.x + shape.width + margin) * scale)
    bottom = round((shape.y + shape.height + margin) * scale)
    ink = extract_ink(np.ascontiguousarray(grey[top:bottom, left:right]))
    _, labels, stats, _ = cv2.connectedComponentsWithStats((ink > CLEAR).view(np.uint8))
    if len(stats) == 1:
        return shape.ink
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.where(labels == largest, ink, 0)


def _find_ink(grey: Pixels) -> Page:
    small, scale = _shrink(grey)
    threshold = CLEAR if min(small.shape) >= 64 else FAINT
    all_ink = extract_ink(small)
    ink = without_rules(without_outlines(all_ink, threshold, small))
    ink = without_lines(ink, threshold)
    found = find_lines(ink, threshold)
    lines = [
        Line([_shape(ink, found, piece) for piece in line], marks)
        for line, marks in zip(found.lines, found.marks, strict=True)
    ]
    drawn = (all_ink > threshold) & (ink <= threshold)
    for line, rules in zip(lines, rules_between(lines, drawn), strict=True):
        line.marks += rules
    # A fraction has two lines: for fewer, nothing need be looked for.
    other = drawn | _left_out(found, lines) if len(lines) > 1 else drawn
    dark = int(np.count_nonzero(ink > threshold)) if scale > 1 else ink.size
    is_nearly_empty = dark < NEARLY_EMPTY * ink.size
    if is_nearly_empty:
        lines = without_staples(lines, ink.shape)
    size = grey.shape[0], grey.shape[1]
    return Page(
        lines,
        scale,
        size,
        found.too_many,
        is_nearly_empty,
        found.is_cut,
        has_fraction(lines, other),
        found.is_noise,
    )


def _left_out(layout: Layout, lines: list[Line]) -> Mask:
    """Return where there is ink outside of the boxes of shapes: bool, of the shape of the ink."""
    left = layout.labels > 0
    for line in lines:
        for shape in line:
            left[shape.y : shape.y + shape.height, shape.x : shape.x + shape.width] = False
    return left


def find_digits(grey: Pixels) -> list[Glyph]:
    """Find the digits in an image by their ink alone; digits that touch are found as one.

    Args:
        grey: uint8, shape (height, width), of any polarity.

    Returns:
        The digits in reading order: line by line, each from left to right.
    """
    page = find_ink(grey)
    return [page.glyph(shape, number) for number, line in enumerate(page.lines) for shape in line]


def _shape(ink: Pixels, layout: Layout, piece: Piece) -> Shape:
    area = piece.place
    own = np.where(piece.mask(layout.labels), ink[area], 0)
    return Shape(piece.x, piece.y, own, is_struck_out=piece in layout.struck_out)


def extract_ink(grey: Pixels) -> Pixels:
    """Separate ink from paper, for any polarity and uneven light.

    Args:
        grey: uint8, shape (height, width).

    Returns:
        uint8, same shape: 0 is paper, 255 is full ink; all 0 where there is no ink.
    """
    paper, ink_sign = find_paper(grey)
    difference = (grey.astype(np.float32) - paper) * ink_sign
    # Differences on the paper's side of the surface are noise alone, even if most of it is ink.
    paper_side = -difference[difference < 0]
    noise = 1.4826 * median(paper_side) if paper_side.size else 0.0
    smooth = cv2.GaussianBlur(difference, (3, 3), 0) if min(grey.shape) >= 64 else difference
    rank = min(max(4, smooth.size // 500), smooth.size)
    contrast = float(ordered(smooth.ravel(), smooth.size - rank)[-rank])
    least = max(LEAST_CONTRAST, 5 * noise)
    if contrast < least:
        contrast = _contrast_somewhere(smooth)
    if contrast < least or _is_all_shade(difference, paper):
        return np.zeros_like(grey)
    floor = min(3 * noise, contrast / 2)
    ink = (difference - floor) * (255 / (contrast - floor))
    return np.minimum(np.maximum(ink, 0, out=ink), 255, out=ink).astype(np.uint8)


def _contrast_somewhere(smooth: Floats) -> float:
    """Return the contrast in the part of an image that has most, where a small number may be."""
    height, width = (length - length % PART for length in smooth.shape)
    if not height or not width:
        return 0.0
    parts = smooth[:height, :width].reshape(height // PART, PART, width // PART, PART)
    levels = parts.swapaxes(1, 2).reshape(-1, PART * PART)
    return float(np.partition(levels, -OF_PART, axis=1)[:, -OF_PART].max())


def _is_all_shade(difference: Floats, paper: Floats) -> bool:
    """Return whether the image is an empty page in uneven light: the regions that differ from the
    paper are a little darker or lighter, have no edge, and reach the rim of the image."""
    side = min(difference.shape)
    if side < LARGE:
        return False
    smooth = cv2.GaussianBlur(difference, (0, 0), side / 100)
    contrast = float(np.percentile(smooth, 99.8))
    steepest = max(float(np.percentile(np.abs(np.diff(smooth, axis=n)), 99.9)) for n in (0, 1))
    at_rim = np.concatenate(rim(smooth)) > contrast / 3
    is_soft = steepest * SOFT * side < contrast
    is_faint = contrast < DEEPEST_SHADE * float(paper.max())
    return is_soft and is_faint and float(at_rim.mean()) > SHADED_RIM


def pixels_of(shape: Shape) -> Pixels:
    """Return a shape's ink as `normalize` does, which is called once for each shape."""
    if shape.pixels is None:
        shape.pixels = normalize(shape.ink)
    return shape.pixels


def normalize(ink: Pixels) -> Pixels:
    """Scale and centre one digit as MNIST's digits are.

    Args:
        ink: uint8, shape (height, width); 0 is paper, 255 is full ink.

    Returns:
        uint8, shape (28, 28): the ink scaled to fit a 20x20 box, aspect kept, its centre of mass at
        the centre.

    Raises:
        ImageError: the image holds no ink.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
    """
    left, top, width, height = cv2.boundingRect(ink)
    if not height:
        raise ImageError("The image holds no ink.")
    ink = ink[top : top + height, left : left + width]
    if max(height, width) != BOX:
        scale = BOX / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        if not ink.any():
            raise ImageError("The image holds no ink.")
        # A hair-thin stroke fades when it is scaled down: bring it back to full ink.
        ink = np.clip(ink * (255 / _percentile(ink[ink > 0], 95)), 0, 255)
    return _centre(ink.astype(np.float32))


def _percentile(values: Pixels, percent: float) -> float:
    """Return what np.percentile does, which takes ten times as long for few values."""
    values = np.sort(values, axis=None)
    place = percent / 100 * (len(values) - 1)
    below, above = (
        float(values[one]) for one in (int(place), min(int(place) + 1, len(values) - 1))
    )
    return below + (above - below) * (place - int(place))


def _centre(ink: Floats) -> Pixels:
    """Lay the ink on 28x28 with its centre of mass at the centre, all of it inside."""
    height, width = ink.shape
    # The sums are those of ink.sum(), which takes twice as long.
    total = float(np.add.reduce(ink, axis=None))
    along = float(np.add.reduce(np.add.reduce(ink, axis=1) * PLACES[:height]))
    across = float(np.add.reduce(np.add.reduce(ink, axis=0) * PLACES[:width]))
    middle = SIZE // 2  # MNIST's centres of mass all lie within half a pixel of (14, 14)
    top, left = round(middle - along / total), round(middle - across / total)
    top, left = min(max(top, 0), SIZE - height), min(max(left, 0), SIZE - width)
    page = np.zeros((SIZE, SIZE), np.uint8)
    page[top : top + height, left : left + width] = np.rint(ink)
    return page


def _shrink(grey: Pixels) -> tuple[Pixels, float]:
    scale = max(grey.shape) / WORKING_SIDE
    if scale <= 1:
        return grey, 1.0
    size = (max(1, round(grey.shape[1] / scale)), max(1, round(grey.shape[0] / scale)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA), scale


def _whole(box: list[float], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Round a box to whole pixels inside an image of this shape."""
    x, y = int(box[0]), int(box[1])
    width = min(max(1, round(box[2])), shape[1] - x)
    height = min(max(1, round(box[3])), shape[0] - y)
    return x, y, width, height
