"""Light sheets on a darker ground: found, straightened, and looked through for ink one by one."""

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from worker.arrays import Floats, Mask, Pixels
from worker.images.finding import Glyph, Page, find_ink
from worker.images.lone_lines import CROP
from worker.images.shapes import Shape

# Tuned on pages of benchmarks.complaints with seed 1; pages of benchmarks.collections, whose
# shadows are no sheets, were looked at, too.
LEAST_SIDE = 96  # pixels of an image in which sheets are looked for
SIDE = 400  # sheets are looked for at this size
DARKER = 0.6  # of a sheet's lightness: what the ground beside it is at most; a shadow is lighter
DARKER_AROUND = 0.82  # the same, where all corners are in the image
STROKE = 0.025  # of the image: narrower dark strokes are no ground
THRESHOLDS = 9  # levels between ground and sheet that are tried
LEAST_AREA = 0.008  # of the image: the smallest sheet
SOLID = 0.9  # of its hull: what a sheet fills
UNFIT = 0.04  # of its hull: what a polygon with few corners does not cover,
UNFIT_RIM = 0.8  # besides a rim of so many pixels
FOUR = 0.8  # of its outline: what its four longest sides are at least
BENT = 0.007  # of its outline: how far a side bends from straight,
LEAST_BENT = 2.5  # and at least, in pixels
BESIDE = 3.0  # pixels from a side: where sheet and ground are compared
SHORTEST = 0.04  # of its outline: a side below it is a rounded corner
EDGE = 0.8  # the share of a sheet's outline that has the darker ground beside it
GROUND = 0.7  # the share of what lies around the sheets that is darker
WIDEST_RIM = 0.02  # of the image: ground that is nowhere wider is a drawn frame
INK = 0.12  # of a sheet's lightness: how much darker strokes on it are
GRAIN = 4.0  # times the usual depth of its grain: the same
LEAST_INK, MOST_INK = 0.0008, 0.5  # the shares of a sheet that may be strokes
AT_RIM = 3.0  # pixels from the image's edge: it cuts the sheet
RIM = 2.0  # pixels along a sheet's sides, where its edge may show, that are not looked at


@dataclass(frozen=True)
class Sheet:
    """A light sheet in an image.

    corners: float32, shape (n, 2): x and y of a convex polygon, clockwise, inside the image.
    matrix: shape (3, 3): from the pixels of the image to those of the straightened sheet.
    size: (width, height) of the straightened sheet, in pixels.
    inside: bool, a small image of which pixels lie on the sheet, and scale, its pixels per pixel.
    """

    corners: Floats
    matrix: Floats
    size: tuple[int, int]
    inside: Mask
    scale: float

    def is_at_rim(self, shape: tuple[int, ...]) -> bool:
        """Return whether the edge of an image of this shape cuts the sheet."""
        high, wide = shape
        x, y = self.corners.T
        least, most = min(x.min(), y.min()), max(x.max() - wide, y.max() - high)
        return bool(least <= AT_RIM or most >= -1 - AT_RIM)

    def straight(self, grey: Pixels) -> Pixels:
        """Return the sheet, straightened; around it is its own paper.

        Args:
            grey: uint8, shape (height, width): the image that the sheet is in.
        """
        page = cv2.warpPerspective(
            grey, self.matrix, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        enlarged = np.diag([self.scale, self.scale, 1.0])
        mask = cv2.warpPerspective(
            self.inside.astype(np.float32),
            self.matrix @ enlarged,
            self.size,
            flags=cv2.INTER_LINEAR,
        )
        return np.where(mask > 0.5, page, _paper(page, mask)).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class SheetsPage(Page):
    """The ink of several sheets in an image, sheet by sheet.

    sheets: of each line, the sheet that it is on, and the page of that.
    """

    sheets: list[tuple[Sheet, Page]]

    @property
    def is_cut_out(self) -> bool:
        """Whether each sheet was cut out closely around its ink."""
        return all(page.is_cut_out for _, page in self.sheets)

    def glyph(self, shape: Shape, line: int) -> Glyph:
        """Return a shape as a digit of the image: its box goes around it as it lies there."""
        sheet, page = self.sheets[line]
        glyph = page.glyph(shape, line)
        return replace(glyph, box=_box_in_image(glyph.box, sheet.matrix, self.size))

    def sides(self, shape: Shape, line: int) -> set[str]:
        """Return at which sides of its sheet a shape's ink reaches the rim."""
        _, page = self.sheets[line]
        return page.sides(shape, line)


def find_ink_on_sheets(grey: Pixels) -> Page:
    """Find the shapes that may be digits: on light sheets, or else in the whole image.

    Args:
        grey: uint8, shape (height, width), of any polarity.
    """
    sheets = find_sheets(grey)
    if not sheets:
        return find_ink(grey)
    pages = [(sheet, find_ink(sheet.straight(grey))) for sheet in sheets]
    lines = [line for _, page in pages for line in page.lines]
    if not lines:  # a stroke of light ink that the image's edge cuts may look like a sheet
        return find_ink(grey)
    of_lines = [(sheet, page) for sheet, page in pages for _ in page.lines]
    # A light stroke that the edge cuts may also look like a sheet with one shape on it.
    may_be_stroke = max(grey.shape) <= CROP and sum(len(line) for line in lines) == 1
    is_cut = may_be_stroke and any(sheet.is_at_rim(grey.shape) for sheet, _ in pages)
    return SheetsPage(
        lines,
        1.0,
        (grey.shape[0], grey.shape[1]),
        too_many=sum(page.too_many for _, page in pages),
        is_cut=is_cut or any(page.is_cut for _, page in pages),
        has_fraction=any(page.has_fraction for _, page in pages),
        sheets=of_lines,
    )


def find_sheets(grey: Pixels) -> list[Sheet]:
    """Find light sheets with strokes on them that lie on a darker ground.

    A sheet is a light region with straight sides, which may be cut off by the image's edge. All of
    its sides have a darker ground beside them, and so is most of what lies around all sheets; what
    the image's edge cuts off is on a ground that is darker than a shadow would be. Where no sheet
    has darker strokes on it there is none.

    Args:
        grey: uint8, shape (height, width).

    Returns:
        The sheets in reading order; none where the image is no such picture.
    """
    if min(grey.shape) < LEAST_SIDE:
        return []
    small, scale = _small(grey)
    width = max(3, round(STROKE * max(small.shape)))
    smooth = cv2.medianBlur(small, 5)
    plain = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    low, high = _range(plain)
    if low > DARKER_AROUND * high:
        return []
    found = _without_overlaps(
        [
            one
            for level in np.linspace(low, high, THRESHOLDS + 2)[1:-1]
            for one in _candidates(smooth, plain, float(level))
        ],
        plain.shape,
    )
    written = [one for one in found if _is_written(one, small)]
    if not written or not _lie_on_ground(found, plain):
        return []
    return _in_order([_sheet(one, grey.shape, scale) for one in written])


@dataclass(frozen=True, eq=False)
class _Candidate:
    """What may be a sheet, in pixels of the small image.

    corners: float32, shape (n, 2), clockwise.
    sides: of each side that is not the image's edge, its two ends: shape (m, 2, 2).
    level: its lightness.
    score: how good it is; larger is better.
    """

    corners: Floats
    sides: Floats
    level: float
    score: float

    def mask(self, shape: tuple[int, ...]) -> Pixels:
        filled = np.zeros(shape, np.uint8)
        cv2.fillConvexPoly(filled, np.rint(self.corners).astype(np.int32), 1)
        return filled


def _small(grey: Pixels) -> tuple[Pixels, float]:
    """Return the image at SIDE at most, and how many of its pixels one of those is."""
    scale = max(1.0, max(grey.shape) / SIDE)
    size = max(1, round(grey.shape[1] / scale)), max(1, round(grey.shape[0] / scale))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA), scale


def _range(plain: Pixels) -> tuple[float, float]:
    """Return the levels that 2 % of the pixels are below, and 0.5 % above."""
    counts = np.cumsum(np.bincount(plain.ravel(), minlength=256)) / plain.size
    low, high = np.searchsorted(counts, (0.02, 0.995))
    return float(low), float(high)


def _candidates(smooth: Pixels, plain: Pixels, level: float) -> list[_Candidate]:
    """Return what may be a sheet among the regions that are lighter than a level."""
    light = (smooth > level).astype(np.uint8)
    light = cv2.morphologyEx(light, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    least = LEAST_AREA * smooth.size
    made = [_candidate(one, smooth, plain) for one in outlines if cv2.contourArea(one) >= least]
    return [one for one in made if one is not None]


def _candidate(outline: np.ndarray, smooth: Pixels, plain: Pixels) -> _Candidate | None:
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if cv2.contourArea(outline) < SOLID * area:
        return None
    around = cv2.arcLength(hull, True)
    polygon = cv2.approxPolyDP(hull, max(LEAST_BENT, BENT * around), True)[:, 0].astype(np.float32)
    if area - cv2.contourArea(polygon) > UNFIT * area + UNFIT_RIM * around:
        return None
    if cv2.contourArea(polygon, oriented=True) < 0:
        polygon = polygon[::-1].copy()
    sides = _free_sides(polygon, smooth.shape)
    lengths = np.sort(np.hypot(*(sides[:, 1] - sides[:, 0]).T))
    if len(sides) < 1 or lengths[-4:].sum() < FOUR * lengths.sum():
        return None
    inner, outer = _beside(sides, smooth, plain)
    most = DARKER_AROUND if len(sides) == len(polygon) else DARKER
    if float((outer < most * inner).mean()) < EDGE:
        return None
    step = 1 - float(outer.sum() / inner.sum())
    fit = min(1.0, cv2.contourArea(outline) / area)
    return _Candidate(polygon, sides, float(np.median(inner)), step * fit * area**0.25)


def _free_sides(polygon: Floats, shape: tuple[int, ...]) -> Floats:
    """Return the sides of a polygon that do not lie along the image's edge: shape (m, 2, 2)."""
    height, width = shape
    ends = np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)
    x, y = ends[..., 0], ends[..., 1]
    at_edge = ((x <= 2).all(1) | (y <= 2).all(1)) | (
        (x >= width - 3).all(1) | (y >= height - 3).all(1)
    )
    free: Floats = ends[~at_edge]
    return free


def _beside(sides: Floats, smooth: Pixels, plain: Pixels) -> tuple[Floats, Floats]:
    """Return the lightness at places along the sides: just inside the sheet, and just outside."""
    inner, outer = [], []
    for start, end in sides:
        length = float(np.hypot(*(end - start)))
        along = np.linspace(0.08, 0.92, max(8, round(length / 3)))[:, None]
        middle = start + along * (end - start)
        inward = np.array([-(end - start)[1], (end - start)[0]]) / length
        inner.append(_at(plain, middle + BESIDE * inward))
        outer.append(_at(smooth, middle - BESIDE * inward))
    return np.concatenate(inner), np.concatenate(outer)


def _at(image: Pixels, places: Floats) -> Floats:
    x = np.clip(np.rint(places[:, 0]), 0, image.shape[1] - 1).astype(int)
    y = np.clip(np.rint(places[:, 1]), 0, image.shape[0] - 1).astype(int)
    levels: Floats = image[y, x].astype(np.float32)
    return levels


def _without_overlaps(found: list[_Candidate], shape: tuple[int, ...]) -> list[_Candidate]:
    """Return the best candidates, none of which overlaps a better one."""
    taken = np.zeros(shape, np.uint8)
    kept = []
    for one in sorted(found, key=lambda one: -one.score):
        mask = one.mask(shape)
        if (mask & taken).sum() < 0.1 * mask.sum():
            kept.append(one)
            taken |= mask
    return kept


def _is_written(one: _Candidate, small: Pixels) -> bool:
    """Return whether a candidate has strokes on it that are darker than it."""
    x, y, width, height = cv2.boundingRect(one.corners)
    x, y = max(0, x), max(0, y)
    own = small[y : y + height, x : x + width]
    mask = one.mask(small.shape)[y : y + height, x : x + width]
    inner = cv2.erode(np.pad(mask, 1), np.ones((7, 7), np.uint8))[1:-1, 1:-1] > 0
    if not inner.any():
        return False
    side = max(5, round(min(own.shape) / 3))
    level = cv2.morphologyEx(own, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    depth = level.astype(np.float32) - own
    usual = float(np.median(depth[inner]))
    grain = 1.4826 * float(np.median(np.abs(depth[inner] - usual)))
    strokes = _together((depth > max(INK * one.level, usual + GRAIN * grain)) & inner)
    return bool(LEAST_INK * inner.sum() + 4 <= strokes.sum() <= MOST_INK * inner.sum())


def _together(dark: Mask) -> Mask:
    """Return the pixels that have two others or more beside them: single ones are grain."""
    counts = cv2.boxFilter(dark.view(np.uint8), -1, (3, 3), normalize=False)
    together: Mask = dark & (counts >= 3)
    return together


def _lie_on_ground(found: list[_Candidate], plain: Pixels) -> bool:
    """Return whether most of what lies around the candidates is darker, and not a narrow frame."""
    sheets = np.zeros(plain.shape, np.uint8)
    for one in found:
        sheets |= one.mask(plain.shape)
    ground = cv2.dilate(sheets, np.ones((5, 5), np.uint8)) == 0
    if not ground.any():
        return False
    level = DARKER_AROUND * max(one.level for one in found)
    widest = float(cv2.distanceTransform(ground.view(np.uint8), cv2.DIST_L2, 3).max())
    is_wide = widest >= WIDEST_RIM * max(plain.shape) / 2
    return is_wide and float((plain[ground] < level).mean()) >= GROUND


def _sheet(one: _Candidate, shape: tuple[int, ...], scale: float) -> Sheet:
    """Make a sheet of a candidate; shape is that of the image, in whose pixels it is."""
    corners, sides = (one.corners + 0.5) * scale, (_long(one.sides) + 0.5) * scale
    longest = max(shape)
    rectangle = _by_its_sides(sides, corners)
    if rectangle is None or np.ptp(rectangle, axis=0).max() > 1.7 * longest:
        rectangle = _by_its_longest_side(sides, corners)
    rectangle = _upright(rectangle)
    lengths = np.hypot(*(np.roll(rectangle, -1, axis=0) - rectangle).T)
    width, height = (max(8, round(float(n))) for n in (lengths[::2].mean(), lengths[1::2].mean()))
    straight = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(rectangle.astype(np.float32), straight)
    return Sheet(corners, matrix, (width, height), _inside(one, shape, scale), scale)


def _long(sides: Floats) -> Floats:
    """Return the sides without those that are rounded corners."""
    lengths = np.hypot(*(sides[:, 1] - sides[:, 0]).T)
    long: Floats = sides[lengths >= SHORTEST * lengths.sum()]
    return long


def _inside(one: _Candidate, shape: tuple[int, ...], scale: float) -> Mask:
    """Return which pixels of the small image lie on a sheet, its rim left out."""
    height, width = round(shape[0] / scale), round(shape[1] / scale)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    inside = np.ones((height, width), bool)
    for (x0, y0), (x1, y1) in one.sides:
        distance = ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / np.hypot(x1 - x0, y1 - y0)
        inside &= distance >= RIM
    return inside


def _by_its_sides(sides: Floats, corners: Floats) -> Floats | None:
    """Return the four corners where the sides of a sheet meet, also outside the image.

    Of three sides, the one that is missing is taken to be parallel to the one opposite. Of fewer,
    and of five or more, it is None.
    """
    if len(sides) == 3:
        sides = _with_the_missing(sides, corners)
    if len(sides) != 4:
        return None
    meet = [_meeting(*pair) for pair in pairwise([sides[-1], *sides])]
    if any(one is None for one in meet):
        return None
    rectangle = np.array(meet)
    is_convex = cv2.isContourConvex(rectangle.astype(np.float32)[:, None])
    is_clockwise = cv2.contourArea(rectangle.astype(np.float32), oriented=True) > 0
    return rectangle if is_convex and is_clockwise else None


def _with_the_missing(sides: Floats, corners: Floats) -> Floats:
    """Return four sides for three of them, or the three where two are not opposite."""
    headings = sides[:, 1] - sides[:, 0]
    headings = headings / np.hypot(*headings.T)[:, None]
    across = [float(headings[n] @ headings[(n + 1) % 3]) for n in range(3)]
    gap = int(np.argmin(across))  # two sides that follow each other, and go opposite ways
    if across[gap] > -0.7:
        return sides
    order = [(gap + 1) % 3, (gap + 2) % 3, gap]
    start, end = sides[order[1]]
    inward = np.array([-(end - start)[1], (end - start)[0]])
    farthest = corners[int(np.argmax((corners - start) @ inward))]
    missing = np.stack([farthest, farthest + start - end])
    return np.concatenate([sides[order], missing[None]])


def _meeting(one: Floats, other: Floats) -> Floats | None:
    """Return the point where two lines meet; None where they are nearly parallel."""
    (p, q), (r, s) = one, other
    a, b = q - p, s - r
    cross = float(a[0] * b[1] - a[1] * b[0])
    if abs(cross) < 0.2 * float(np.hypot(*a) * np.hypot(*b)):
        return None
    share = float((r - p)[0] * b[1] - (r - p)[1] * b[0]) / cross
    return np.asarray(p + share * a)


def _by_its_longest_side(sides: Floats, corners: Floats) -> Floats:
    """Return the rectangle along the longest side around all corners: shape (4, 2), clockwise."""
    headings = sides[:, 1] - sides[:, 0]
    along = headings[int(np.argmax(np.hypot(*headings.T)))]
    along = along / np.hypot(*along)
    axes = np.stack([along, np.array([-along[1], along[0]])])
    seen = corners @ axes.T
    (left, top), (right, bottom) = seen.min(axis=0), seen.max(axis=0)
    ends = [(left, top), (right, top), (right, bottom), (left, bottom)]
    rectangle: Floats = np.array(ends) @ axes
    return rectangle


def _upright(rectangle: Floats) -> Floats:
    """Return the corners with the left upper one first: the one whose top is the least turned."""
    headings = np.roll(rectangle, -1, axis=0) - rectangle
    # The top of a sheet and its foot, which goes the other way, say together how it is turned.
    level = headings[:, 0] - np.roll(headings[:, 0], -2)
    lengths = np.hypot(*headings.T)
    level = level / (lengths + np.roll(lengths, -2))
    return np.asarray(np.roll(rectangle, -int(np.argmax(level)), axis=0))


def _paper(page: Pixels, mask: Floats) -> Pixels:
    """Return the lightness of a sheet's paper near each pixel: uint8, the shape of page."""
    scale = max(1.0, max(page.shape) / 96)
    size = max(1, round(page.shape[1] / scale)), max(1, round(page.shape[0] / scale))
    inside = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    inside = (inside > 0.95).astype(np.float32)
    coarse = cv2.resize(page, size, interpolation=cv2.INTER_AREA) * inside
    width = max(3, round(min(size) / 6))
    coarse = cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    usual = float(np.median(coarse[inside > 0])) if inside.any() else float(np.median(page))
    sigma = max(1.0, max(size) / 16)
    # Far from the sheet, its usual lightness.
    weight = cv2.GaussianBlur(inside, (0, 0), sigma) + 1e-4
    level = (cv2.GaussianBlur(coarse * inside, (0, 0), sigma) + 1e-4 * usual) / weight
    level = cv2.resize(level, page.shape[::-1], interpolation=cv2.INTER_LINEAR)
    paper: Pixels = np.clip(np.rint(level), 0, 255).astype(np.uint8)
    return paper


def _in_order(sheets: list[Sheet]) -> list[Sheet]:
    """Return sheets row by row; those whose middles are on one height with each other are a row."""
    rows: list[list[Sheet]] = []
    for sheet in sorted(sheets, key=lambda one: float(one.corners[:, 1].mean())):
        top, bottom = sheet.corners[:, 1].min(), sheet.corners[:, 1].max()
        if rows and top < rows[-1][0].corners[:, 1].mean() < bottom:
            rows[-1].append(sheet)
        else:
            rows.append([sheet])
    return [
        sheet
        for row in rows
        for sheet in sorted(row, key=lambda one: float(one.corners[:, 0].mean()))
    ]


def _box_in_image(
    box: tuple[int, int, int, int], matrix: Floats, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the box of the image that holds a box of a straightened sheet."""
    x, y, width, height = box
    ends = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    seen = cv2.perspectiveTransform(np.array([ends], np.float64), np.linalg.inv(matrix))[0]
    last = np.array(size[::-1])
    low = np.clip(np.floor(seen.min(axis=0)), 0, last - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0)), low + 1, last).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
