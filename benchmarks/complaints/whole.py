"""Numbers that the picture's edge cuts, that are too many, or that something stands beside; and
such numbers whole."""

import string

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from benchmarks.scenes import sized
from worker.files.datasets import Dataset
from worker.images.paper import rim

Box = tuple[float, float, float, float]
CUT = (0.1, 0.7)  # of a digit's width or height that the edge takes
SEEN = 0.3  # ink above this counts for where a digit begins and ends
PAPER_ABOUT = (1.6, 3.0)  # room around numbers, of their height


def cut(digits: Dataset, rng: Rng) -> Scene:
    """A page that cannot be read whole, whose text is that of all its digits."""
    if rng.random() < 0.02:
        return _many(digits, rng)
    return [_at_edge, _at_edge, _at_edge, _over_board, _cut_crop, _beside, _beside][
        int(rng.integers(7))
    ](digits, rng)


def plain(digits: Dataset, rng: Rng) -> Scene:
    """Such numbers, and nothing cut or beside them."""
    return [_string, _lines, _on_board, _crop, _closely_cut][int(rng.integers(5))](digits, rng)


def _written(digits: Dataset, rng: Rng, lines: int, shape=None) -> tuple[Sheet, str, list[Box]]:
    """Return a sheet with lines of numbers that has room around them; and their digits' boxes."""
    tall = rng.uniform(24, 130) if lines == 1 else rng.uniform(24, 80)
    lengths = rng.integers(1, 9, lines)
    pitch, margin = tall * rng.uniform(1.4, 2.2), tall * rng.uniform(0.3, PAPER_ABOUT[1], 4)
    high = pitch * lines + margin[:2].sum()
    wide = tall * int(lengths.max()) * 2 + margin[2:].sum()
    sheet = Sheet(digits, rng, round(high), round(wide))
    texts, boxes = [], []
    for number, length in enumerate(lengths):
        y = margin[0] + pitch * (number + 0.5)
        text, own = sheet.number(int(length), tall, margin[2] + rng.uniform(0, tall), y)
        texts.append(text)
        boxes += own
    sheet.ink = sheet.ink[:, : round(max(box[2] for box in boxes) + margin[3])]
    return sheet, " ".join(texts), [_seen(sheet.ink, box) for box in boxes]


def _seen(ink: np.ndarray, box: Box) -> Box:
    """Return the part of a digit's box where its ink can be seen."""
    left, top = round(box[0]), round(box[1])
    part = ink[top : round(box[3]), left : round(box[2])] > SEEN
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1


def _at_edge(digits: Dataset, rng: Rng) -> Scene:
    """One to three lines of numbers, of which an edge cuts the outermost."""
    sheet, text, boxes = _written(digits, rng, int(rng.choice([1, 1, 2, 3])))
    side = str(rng.choice(["left", "right", "top", "bottom"]))
    sheet.ink = _without_side(sheet.ink, boxes, side, rng.uniform(*CUT))
    return Scene(sheet.image(), text, f"cut at the {side}")


def _without_side(ink: np.ndarray, boxes: list[Box], side: str, share: float) -> np.ndarray:
    """Return the ink without so much of a side that the outermost digit loses a share of itself."""
    axis, is_end = (0, 2) if side in ("left", "right") else (1, 3), side in ("right", "bottom")
    low, high = axis
    if is_end:
        box = max(boxes, key=lambda one: one[high])
        place = box[high] - max(1, np.ceil(share * (box[high] - box[low])))
    else:
        box = min(boxes, key=lambda one: one[low])
        place = box[low] + max(1, np.ceil(share * (box[high] - box[low])))
    part = slice(None, int(place)) if is_end else slice(int(place), None)
    return ink[:, part] if low == 0 else ink[part]


def _drawn(digits: Dataset, rng: Rng) -> tuple[np.ndarray, str]:
    """Return a digit as it is drawn on a square board, of a third to nine tenths of its side."""
    side = int(rng.choice([280, 320, 400, 548, 640]))
    row = int(rng.integers(len(digits)))
    ink = sized(digits.images[row], round(side * rng.uniform(0.33, 0.9))) / np.float32(255)
    while ink.shape[1] > 0.95 * side:
        row = int(rng.integers(len(digits)))
        ink = sized(digits.images[row], round(side * rng.uniform(0.33, 0.9))) / np.float32(255)
    board = np.zeros((side, side), np.float32)
    # A pen has edges, however large it draws.
    ink = np.clip((ink - 0.5) * rng.uniform(1.5, 6) + 0.5, 0, 1)
    board[: len(ink), : ink.shape[1]] = ink
    return board, str(digits.labels[row])


def _on_board(digits: Dataset, rng: Rng) -> Scene:
    """One or two digits on a board, close to its edge, which they do not touch."""
    board, text = _drawn(digits, rng)
    left, top, right, bottom = _seen(board, (0, 0, *board.shape[::-1]))
    ink = board[top:bottom, left:right]
    near = rng.integers(2, max(3, len(board) // 12), 2)
    room = np.array(board.shape) - ink.shape
    near = np.minimum(near, room // 2)
    y, x = (
        int(one if rng.random() < 0.5 else all_ - one) for one, all_ in zip(near, room, strict=True)
    )
    board = np.zeros_like(board)
    board[y : y + len(ink), x : x + ink.shape[1]] = ink
    return Scene(_on_white(board), text, "on the board")


def _over_board(digits: Dataset, rng: Rng) -> Scene:
    """A digit on a board that was drawn over its edge."""
    board, text = _drawn(digits, rng)
    box = _seen(board, (0, 0, *board.shape[::-1]))
    side = str(rng.choice(["left", "right", "top", "bottom"]))
    left, top, right, bottom = box
    ink = _without_side(board[top:bottom, left:right], [(0, 0, right - left, bottom - top)], side,
                        rng.uniform(*CUT))  # fmt: skip
    room = np.array(board.shape) - ink.shape
    y, x = (int(one) for one in rng.integers(1, room))
    x = {"left": 0, "right": int(room[1])}.get(side, x)
    y = {"top": 0, "bottom": int(room[0])}.get(side, y)
    board = np.zeros_like(board)
    board[y : y + len(ink), x : x + ink.shape[1]] = ink
    return Scene(_on_white(board), text, "over the board")


def _on_white(ink: np.ndarray) -> np.ndarray:
    return np.rint(255 * (1 - ink[..., None])).astype(np.uint8).repeat(3, 2)


def _crop(digits: Dataset, rng: Rng) -> Scene:
    """One digit of MNIST, of 28x28 or enlarged, light on dark or dark on light.

    No digit that ends at the edge: it may be cut off.
    """
    row = int(rng.integers(len(digits)))
    while max(edge.max() for edge in rim(digits.images[row])) > 0:
        row = int(rng.integers(len(digits)))
    return Scene(_sent(digits.images[row], rng), str(digits.labels[row]), "like MNIST")


def _cut_crop(digits: Dataset, rng: Rng) -> Scene:
    """The same, moved over an edge."""
    row = int(rng.integers(len(digits)))
    ink = digits.images[row]
    box = _seen(ink / 255, (0, 0, 28, 28))
    side = str(rng.choice(["left", "right", "top", "bottom"]))
    kept = _without_side(ink, [box], side, rng.uniform(*CUT))
    lost = 28 - np.array(kept.shape)
    pad = {"left": (0, lost[1]), "right": (lost[1], 0)}.get(side, (0, 0))
    rows = {"top": (0, lost[0]), "bottom": (lost[0], 0)}.get(side, (0, 0))
    moved = np.pad(kept, (rows, pad))
    return Scene(_sent(moved, rng), str(digits.labels[row]), "like MNIST, cut")


def _sent(ink: np.ndarray, rng: Rng) -> np.ndarray:
    side = int(rng.choice([28, 28, 56, 140]))
    image = cv2.resize(ink, (side, side), interpolation=cv2.INTER_CUBIC)
    return (255 - image if rng.random() < 0.4 else image)[..., None].repeat(3, 2)


def _string(digits: Dataset, rng: Rng) -> Scene:
    sheet, text, _ = _written(digits, rng, 1)
    return Scene(sheet.image(), text, "one line")


def _lines(digits: Dataset, rng: Rng) -> Scene:
    sheet, text, _ = _written(digits, rng, int(rng.integers(2, 5)))
    return Scene(sheet.image(), text, "lines")


def _closely_cut(digits: Dataset, rng: Rng) -> Scene:
    """A number that was cut out as closely as it can be seen."""
    sheet, text, boxes = _written(digits, rng, 1)
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    sheet.ink = sheet.ink[low[1] : high[1], low[0] : high[0]]
    return Scene(sheet.image(), text, "cut out closely")


def _many(digits: Dataset, rng: Rng) -> Scene:
    """A page of 1,100 to 2,000 digits."""
    rows, columns = (int(one) for one in (rng.integers(26, 36), rng.integers(42, 56)))
    tall = rng.uniform(24, 40)
    step = tall * rng.uniform(1.5, 1.8)
    sheet = Sheet(digits, rng, round((rows + 1) * step), round((columns + 1) * step))
    texts = []
    for row in range(rows):
        texts.append("")
        for column in range(columns):
            ink, label = sheet.digit(tall * rng.uniform(0.9, 1.1))
            sheet.put(ink, (column + 0.6) * step, (row + 0.6) * step)
            texts[-1] += label
    return Scene(sheet.image(), " ".join(texts), "too many")


def _beside(digits: Dataset, rng: Rng) -> Scene:
    """A number, and before, behind or under it something that is clearly no digit."""
    tall, length = rng.uniform(36, 120), int(rng.integers(1, 6))
    size = tall * rng.uniform(0.8, 2.2)
    kind = str(rng.choice(list(DOODLES)))
    place = str(rng.choice(["before", "behind", "under"]))
    gap, margin = tall * rng.uniform(0.4, 1.2), tall * rng.uniform(0.4, 1.5)
    high, wide = max(size, 1.2 * tall), tall * length * 2
    below = size + gap if place == "under" else 0
    room = size + gap if place != "under" else 0
    sheet = Sheet(
        digits,
        rng,
        round(high + below + 2 * margin),
        round(max(wide, size) + room + 2 * margin),
    )
    middle = margin + high / 2
    left = margin + (room if place == "before" else 0)
    text, boxes = sheet.number(length, tall, left, middle)
    right = max(box[2] for box in boxes)
    centre = {
        "before": (margin + size / 2, middle),
        "behind": (right + gap + size / 2, middle),
        "under": (margin + size / 2, margin + high + gap + size / 2),
    }[place]
    DOODLES[kind](sheet, np.array(centre), size, max(2.0, tall * rng.uniform(0.04, 0.12)))
    sheet.ink = sheet.ink[:, : round(max(right, centre[0] + size / 2) + margin)]
    return Scene(sheet.image(), text, kind)


def _scribble(sheet: Sheet, centre: np.ndarray, size: float, thick: float) -> None:
    rng = sheet.rng
    along = np.linspace(0, 2 * np.pi, 160)
    waves = [rng.integers(3, 7, 2) for _ in range(3)]
    x, y = (
        sum(rng.uniform(0.5, 1) * np.sin(own[axis] * along + rng.uniform(0, 6)) for own in waves)
        for axis in (0, 1)
    )
    points = np.stack([x / np.ptp(x), y / np.ptp(y)], axis=1)
    sheet.stroke(centre + (points - (points.max(0) + points.min(0)) / 2) * size * 0.95, thick)


def _star(sheet: Sheet, centre: np.ndarray, size: float, thick: float) -> None:
    """Draw a star of five points in one go, or of three to five strokes that cross."""
    rng = sheet.rng
    turn = rng.uniform(-0.3, 0.3) - np.pi / 2
    if rng.random() < 0.5:
        angle = turn + np.arange(6) * 4 * np.pi / 5
        sheet.stroke(centre + np.stack([np.cos(angle), np.sin(angle)], 1) * size * 0.48, thick)
        return
    for one in turn + np.arange(count := int(rng.integers(3, 6))) * np.pi / count:
        reach = np.array([np.cos(one), np.sin(one)]) * size * 0.48
        sheet.stroke(np.array([centre - reach, centre + reach]), thick)


def _spiral(sheet: Sheet, centre: np.ndarray, size: float, thick: float) -> None:
    turns = sheet.rng.uniform(2.5, 4)
    angle = np.linspace(0, turns * 2 * np.pi, 200)
    radius = np.linspace(0.05, 0.48, 200)[:, None] * size
    thick = min(thick, size / turns / 5)
    sheet.stroke(centre + np.stack([np.cos(angle), np.sin(angle)], 1) * radius, thick)


def _letter(sheet: Sheet, centre: np.ndarray, size: float, thick: float) -> None:
    """Write a letter that nobody takes for a digit."""
    letter = str(sheet.rng.choice([one for one in string.ascii_uppercase if one in "AEFHKMNRWX"]))
    scale = 0.75 * size / cv2.getTextSize(letter, 0, 1, 1)[0][1]
    (width, height), _ = cv2.getTextSize(letter, 0, scale, round(thick))
    place = round(centre[0] - width / 2), round(centre[1] + height / 2)
    drawn = np.zeros(sheet.ink.shape, np.uint8)
    cv2.putText(drawn, letter, place, 0, scale, 255, round(thick), cv2.LINE_AA)
    np.maximum(sheet.ink, drawn / np.float32(255), out=sheet.ink)


def _blot(sheet: Sheet, centre: np.ndarray, size: float, thick: float) -> None:
    rng = sheet.rng
    angle = np.linspace(0, 2 * np.pi, 60)
    radius = 0.34 * size * (1 + sum(
        rng.uniform(0, 0.14) * np.sin(n * angle + rng.uniform(0, 6)) for n in range(2, 6)
    ))  # fmt: skip
    points = centre + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    drawn = np.zeros(sheet.ink.shape, np.uint8)
    cv2.fillPoly(drawn, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA)
    np.maximum(sheet.ink, drawn / np.float32(255), out=sheet.ink)


DOODLES = {
    "scribble": _scribble,
    "star": _star,
    "spiral": _spiral,
    "letter": _letter,
    "blot": _blot,
}
