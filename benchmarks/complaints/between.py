"""What stands between digits: wide gaps, marks, struck-out digits, punch holes."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.complaints.sheet import Rng, Scene, Sheet
from worker.files.datasets import Dataset


def between(digits: Dataset, rng: Rng) -> Scene:
    """Numbers with something between their digits, which is no digit."""
    form = list(FORMS)[int(rng.integers(len(FORMS)))]
    sheet, text = FORMS[form](digits, rng)
    return Scene(sheet.image(), text, form)


class _Line:
    """A line of writing that grows to the right."""

    def __init__(self, digits: Dataset, rng: Rng, length: float):
        self.tall = float(rng.uniform(35, 120))
        self.pen = float(max(1.5, self.tall * rng.uniform(0.05, 0.12)))
        self.rng, self.text = rng, ""
        height = round(self.tall * rng.uniform(1.8, 3))
        self.sheet = Sheet(digits, rng, height, round(self.tall * (length * 1.35 + 2)))
        self.middle, self.x = height / 2, self.tall * rng.uniform(0.5, 1)
        self.foot = self.middle + self.tall / 2

    def number(self, length: int) -> None:
        text, boxes = self.sheet.number(length, self.tall, self.x, self.middle)
        self.x, self.text = boxes[-1][2], self.text + text

    def space(self, least: float, most: float) -> None:
        self.x += self.tall * self.rng.uniform(least, most)

    def gap(self, wide: float) -> None:
        self.x, self.text = self.x + self.tall * wide, self.text + " "

    def dot(self, y: float) -> None:
        radius = self.pen * self.rng.uniform(0.55, 0.95)
        centre = np.array([self.x + radius, y - radius])
        self.sheet.stroke([centre, np.add(centre, (0.1, 0))], 2 * radius)
        self.x += 2 * radius

    def point(self) -> None:
        self.space(0.08, 0.25)
        self.dot(self.foot + self.tall * self.rng.uniform(-0.04, 0.06))
        self.space(0.08, 0.25)
        self.text += "."

    def comma(self) -> None:
        self.space(0.12, 0.28)
        y = self.foot + self.tall * self.rng.uniform(-0.1, 0.02)
        down, back = self.tall * self.rng.uniform(0.16, 0.32), self.tall * self.rng.uniform(0, 0.14)
        self.sheet.stroke(
            [(self.x, y), (self.x - 0.2 * back, y + down / 2), (self.x - back, y + down)], self.pen
        )
        self.x += self.pen / 2
        self.space(0.06, 0.22)
        self.text += ","

    def minus(self) -> None:
        self.space(0.1, 0.25)
        wide, tilt = (
            self.tall * self.rng.uniform(0.3, 0.7),
            self.tall * self.rng.uniform(-0.05, 0.05),
        )
        y = self.middle + self.tall * self.rng.uniform(-0.1, 0.12)
        self.sheet.line(
            (self.x, y + tilt), (self.x + wide, y - tilt), self.pen, self.rng.uniform(0, 0.03)
        )
        self.x += wide
        self.space(0.1, 0.3)
        self.text += "-"

    def slash(self) -> None:
        self.space(0.08, 0.25)
        high = self.tall * self.rng.uniform(1.0, 1.5)
        wide = high * np.tan(np.radians(self.rng.uniform(12, 38)))
        foot = self.foot + (high - self.tall) * self.rng.uniform(0.2, 0.8)
        self.sheet.line(
            (self.x, foot), (self.x + wide, foot - high), self.pen, self.rng.uniform(0, 0.015)
        )
        self.x += wide
        self.space(0.05, 0.2)
        self.text += "/"

    def colon(self) -> None:
        self.space(0.1, 0.25)
        x = self.x
        self.dot(self.foot - self.tall * self.rng.uniform(0.02, 0.15))
        end, self.x = self.x, x + self.tall * self.rng.uniform(-0.03, 0.06)
        self.dot(self.foot - self.tall * self.rng.uniform(0.5, 0.7))
        self.x = max(self.x, end)
        self.space(0.1, 0.25)
        self.text += ":"

    def strike(self, box: tuple[float, float, float, float]) -> None:
        """Cross a digit out: by one stroke or two, or to and fro."""
        left, top, right, bottom = box
        wide, high, rng = right - left, bottom - top, self.rng
        over = self.tall * rng.uniform(0.1, 0.25, 4)
        x0, x1 = left - over[0], right + over[1]
        kind = rng.choice(["one", "two", "cross", "scribble"])
        if kind in ("one", "two"):
            for _ in range(1 if kind == "one" else 2):
                y0, y1 = top + high * rng.uniform(0.3, 0.7, 2)
                self.sheet.line((x0, y0), (x1, y1), self.pen, 0.01)
        elif kind == "cross":
            wider = max(wide, 0.5 * self.tall)
            x0, x1 = (left + right - wider) / 2 - over[0], (left + right + wider) / 2 + over[1]
            self.sheet.line((x0, top - over[2]), (x1, bottom + over[3]), self.pen, 0.01)
            self.sheet.line((x1, top - over[2]), (x0, bottom + over[3]), self.pen, 0.01)
        else:
            count = int(rng.integers(5, 10))
            x = np.linspace(x0, x1, count)
            y = np.where(np.arange(count) % 2, top + high * 0.1, bottom - high * 0.1)
            y = y + high * rng.uniform(-0.1, 0.1, count)
            self.sheet.stroke(np.stack([x, y], axis=1), self.pen)


def _wide_gap(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    line = _Line(digits, rng, 14)
    line.number(int(rng.integers(2, 5)))
    line.gap(float(rng.uniform(1, 5)))
    line.number(int(rng.integers(2, 5)))
    return line.sheet, line.text


def _columns(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    tall, rows, columns = rng.uniform(30, 60), int(rng.integers(2, 5)), int(rng.integers(2, 4))
    wide, pitch = tall * rng.uniform(3.6, 6), tall * rng.uniform(1.5, 2.2)
    sheet = Sheet(digits, rng, round(pitch * (rows + 0.4)), round(wide * columns + tall))
    texts = []
    for row in range(rows):
        for column in range(columns):
            length, y = int(rng.integers(1, 4)), pitch * (row + 0.7)
            text, _ = sheet.number(length, tall, tall * 0.6 + column * wide, y, (0.1, 0.25))
            texts.append(text)
    return sheet, " ".join(texts)


def _table(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    """A table with ruled cells, some of them hardly wider than their numbers."""
    tall, rows, columns = rng.uniform(30, 60), int(rng.integers(1, 4)), int(rng.integers(2, 5))
    wide, pitch = tall * rng.uniform(2.7, 4.5), tall * rng.uniform(1.5, 2.4)
    sheet = Sheet(digits, rng, round(pitch * rows + tall), round(wide * columns + tall))
    pen, texts = max(1.5, tall * rng.uniform(0.02, 0.08)), []
    for row in range(rows):
        for column in range(columns):
            length = 2 if column < 2 else int(rng.integers(1, 3))
            x = tall / 2 + column * wide + tall * rng.uniform(0.15, max(0.2, wide / tall - 2.4))
            text, _ = sheet.number(length, tall, x, tall / 2 + pitch * (row + 0.5), (0.05, 0.2))
            texts.append(text)
    right, bottom = tall / 2 + columns * wide, tall / 2 + rows * pitch
    for row in range(rows + 1):
        y = tall / 2 + row * pitch
        sheet.line((tall / 2, y), (right, y), pen)
    for column in range(columns + 1):
        x = tall / 2 + column * wide
        sheet.line((x, tall / 2), (x, bottom), pen)
    return sheet, " ".join(texts)


def _with_mark(mark: Callable[[_Line], None], least=(1, 1), most=(4, 4)):
    def write(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
        line = _Line(digits, rng, most[0] + most[1] + 1)
        line.number(int(rng.integers(least[0], most[0] + 1)))
        mark(line)
        line.number(int(rng.integers(least[1], most[1] + 1)))
        return line.sheet, line.text

    return write


def _negative(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    line = _Line(digits, rng, 6)
    line.minus()
    line.number(int(rng.integers(1, 5)))
    return line.sheet, line.text


def _date(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    line = _Line(digits, rng, 9)
    for number in range(int(rng.integers(2, 4))):
        if number:
            line.slash()
        line.number(2)
    return line.sheet, line.text


def _struck_out(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    line = _Line(digits, rng, 8)
    length = int(rng.integers(2, 6))
    which = int(rng.integers(length))
    text, boxes = line.sheet.number(length, line.tall, line.x, line.middle, (0.3, 0.55))
    line.strike(boxes[which])
    return line.sheet, text[:which] + text[which + 1 :]


def _punched(digits: Dataset, rng: Rng) -> tuple[Sheet, str]:
    """A number beside two or four holes, which show what is under the sheet."""
    tall, rows = rng.uniform(35, 90), int(rng.integers(1, 4))
    height, width = round(tall * rng.uniform(4, 8)), round(tall * rng.uniform(9, 12))
    sheet, texts = Sheet(digits, rng, height, width), []
    radius = tall * rng.uniform(0.16, 0.4)
    x = tall * rng.uniform(0.5, 0.9)
    for row in range(rows):
        y = height * (row + 0.5) / rows
        text, _ = sheet.number(int(rng.integers(2, 6)), tall, x + radius + tall, y)
        texts.append(text)
    count = int(rng.choice([2, 4]))
    for y in height * (np.arange(count) + 0.5) / count:
        hole = np.zeros(sheet.ink.shape, np.uint8)
        thick = -1 if rng.random() < 0.7 else max(1, round(radius * 0.15))
        cv2.circle(hole, (round(x), round(y)), max(3, round(radius)), 255, thick, cv2.LINE_AA)
        np.maximum(sheet.ink, hole / np.float32(255), out=sheet.ink)
    return sheet, " ".join(texts)


FORMS: dict[str, Callable[[Dataset, Rng], tuple[Sheet, str]]] = {
    "wide gap": _wide_gap,
    "columns": _columns,
    "table": _table,
    "point": _with_mark(_Line.point),
    "comma": _with_mark(_Line.comma),
    "minus": _negative,
    "between, minus": _with_mark(_Line.minus),
    "slash": _date,
    "colon": _with_mark(_Line.colon, (1, 2), (2, 2)),
    "struck out": _struck_out,
    "punch holes": _punched,
}
