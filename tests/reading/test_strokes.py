"""A bare stroke in a crop is a 1; a lone line on a page, or along the rim, is nothing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.images.test_strokes import drawn
from tests.pictures import png
from worker.images.finding import Glyph, normalize
from worker.images.lone_lines import without_lone_lines
from worker.images.shapes import Line, Shape
from worker.reading.reading import read_again, read_images
from worker.reading.strokes import adjust_for_strokes

LEANS = (-8, 0, 10, 20, 30)
PAGE = (900, 640)


def texts(engine, pictures: list[np.ndarray]) -> list[str]:
    return [reading.text for reading in read_images(engine, [png(one) for one in pictures])]


def crop(side: int, lean: float, thick: float, tall: float = 0.75, light=False) -> np.ndarray:
    """A stroke in the middle of a square; thick and tall are shares of its height and the side."""
    ink = np.zeros((side * 8, side * 8), np.uint8)
    half = side * 4 * tall * (1 - thick) * np.array([np.tan(np.radians(lean)), -1])
    ends = [tuple(np.rint(side * 4 + way * half).astype(int).tolist()) for way in (-1, 1)]
    pen = max(8, round(thick * tall * side * 8))  # not below one pixel of the crop
    cv2.line(ink, ends[0], ends[1], 255, pen, cv2.LINE_AA)
    ink = cv2.resize(ink, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return (20 + 220 * ink if light else 240 - 200 * ink).astype(np.uint8)


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("thick", [0.0, 0.07, 0.13, 0.2])
@pytest.mark.parametrize("side", [16, 28, 60, 140, 300])
def test_a_bare_stroke_in_a_crop_is_read_as_1(engine, side, thick, light):
    pictures = [crop(side, lean, thick, light=light) for lean in LEANS]
    assert texts(engine, pictures) == ["1"] * len(LEANS)


@pytest.mark.parametrize("tall", [0.42, 0.6, 0.95])
def test_a_bare_stroke_of_any_size_in_a_cell_is_read_as_1(engine, tall):
    pictures = [crop(120, lean, 0.1, tall) for lean in LEANS]
    assert texts(engine, pictures) == ["1"] * len(LEANS)


def page(*lines, size=PAGE) -> np.ndarray:
    """A scan with lines: (x, y) of both ends and the thickness, in shares of its width, height and
    its longer side."""
    ink = np.zeros(size, np.uint8)
    for x0, y0, x1, y1, thick in lines:
        ends = [
            (round(x * (size[1] - 1)), round(y * (size[0] - 1))) for x, y in ((x0, y0), (x1, y1))
        ]
        cv2.line(ink, ends[0], ends[1], 255, max(1, round(thick * max(size))), cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, 2, size)
    return np.clip(240 - 180 * (ink / 255) + grain, 0, 255).astype(np.uint8)


ALONE = {
    "rule": page((0.05, 0.3, 0.9, 0.305, 0.003)),
    "two rules": page((0.05, 0.3, 0.9, 0.3, 0.003), (0.05, 0.37, 0.9, 0.37, 0.003)),
    "upright rule": page((0.2, 0.02, 0.2, 0.98, 0.003)),
    "dash": page((0.4, 0.5, 0.47, 0.5, 0.006)),
    "scratch": page((0.4, 0.3, 0.45, 0.6, 0.002)),
    "short scratch": page((0.4, 0.3, 0.42, 0.36, 0.001)),
    "border": page((0.0, 0.0, 0.0, 1.0, 0.01)),
    "frame": page((0, 0, 1, 0, 0.01), (0, 0, 0, 1, 0.01), (1, 0, 1, 1, 0.01), (0, 1, 1, 1, 0.01)),
    "corner": page((0, 0, 1, 0, 0.01), (1, 0, 1, 1, 0.01)),
    "rule in a crop": page((0.1, 0.6, 0.9, 0.62, 0.03), size=(90, 120)),
    "border in a crop": page((0.01, 0.05, 0.01, 0.95, 0.03), size=(90, 120)),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_lone_line_is_read_as_nothing(engine, name):
    assert texts(engine, [ALONE[name]]) == [""]


@pytest.mark.parametrize("bend", [0.14, 0.2])
def test_a_lone_bracket_is_read_as_nothing(engine, bend):
    around = np.pad(drawn(150, 6, 0, bend), 250)
    assert texts(engine, [255 - around]) == [""]


@pytest.mark.parametrize("scale", [1, 2], ids=["150 dpi", "300 dpi"])
@pytest.mark.parametrize(("angle", "length"), [(5, 8), (-30, 12), (60, 6), (10, 18)])
def test_a_hair_on_an_empty_scan_is_read_as_nothing(engine, scale, angle, length):
    height, width = 1754 * scale, 1240 * scale
    pixels = length / 297
    way = np.sin(np.radians(angle)) * pixels * height / width, np.cos(np.radians(angle)) * pixels
    ends = 0.6, 0.4, 0.6 + way[0], 0.4 - way[1]
    assert texts(engine, [page((*ends, 0.0005), size=(height, width))]) == [""]


def test_the_ragged_edge_of_a_shadow_is_no_digit_beside_a_line():
    """It fills little of what lies between its own edges."""
    edge, line = np.zeros((460, 60), np.uint8), np.zeros((460, 60), np.uint8)
    for x in (40, 46):
        cv2.line(edge, (x, 0), (x - 30, 459), 255, 1)
    cv2.line(line, (40, 0), (10, 459), 255, 7)
    shapes = Line([Shape(20, 300, edge), Shape(300, 300, line)])
    left = without_lone_lines([shapes], (1200, 800), False, lambda shape: shape.ink)
    assert [shape for line in left for shape in line] == []


def test_a_1_alone_on_a_page_is_read(engine):
    """Its pen is as broad as pens are."""
    assert texts(engine, [page((0.5, 0.45, 0.53, 0.4, 0.005), (0.5, 0.45, 0.53, 0.4, 0.005))]) == [
        "1"
    ]
    assert texts(engine, [page((0.45, 0.8, 0.55, 0.2, 0.05))]) == ["1"]


def row(value: int, probability: float) -> np.ndarray:
    """Probabilities with this one for a class, and the rest in equal parts."""
    probabilities = np.full(11, (1 - probability) / 10, np.float32)
    probabilities[value] = probability
    return probabilities


STROKE = Glyph((40, 20, 12, 60), normalize(drawn(150, 14, 8)))
SIZE = (100, 100)


def adjusted(rows, glyphs, size=SIZE) -> np.ndarray:
    (line,) = adjust_for_strokes([np.stack(rows)], [glyphs], size)
    assert np.allclose(line.sum(axis=1), 1)
    return line


@pytest.mark.parametrize("given", [row(10, 0.97), row(7, 0.6), row(1, 0.7)])
def test_a_bare_stroke_alone_in_a_crop_is_a_1(given):
    (line,) = adjusted([given], [STROKE])
    assert line.argmax() == 1
    assert 0.98 < line[1] < 0.995


@pytest.mark.parametrize(
    ("glyphs", "size"),
    [
        ([STROKE], (400, 400)),  # a page
        ([STROKE], (100, 300)),  # small in its image
        ([STROKE], (0, 0)),  # an image of unknown size
        ([STROKE, replace(STROKE, box=(70, 20, 12, 50))], SIZE),  # beside another
        ([Glyph(STROKE.box, normalize(drawn(150, 14, 80)))], SIZE),  # a dash
        ([Glyph(STROKE.box, normalize(drawn(150, 14, 0, 0.2)))], SIZE),  # a bracket
    ],
)
def test_elsewhere_it_stays_as_it_is(glyphs, size):
    rows = [row(10, 0.97) for _ in glyphs]
    assert np.array_equal(adjusted(rows, glyphs, size), np.stack(rows))


@pytest.mark.parametrize("given", [row(7, 0.95), row(1, 0.999)])
def test_a_sure_digit_stays_as_it_is(given):
    """Of few pixels, a broad 8 is as solid as a stroke."""
    assert np.array_equal(adjusted([given], [STROKE], (8, 8)), [given])
    assert np.array_equal(adjusted([given], [STROKE]), [given])


def test_a_speck_beside_a_stroke_changes_nothing():
    speck = Glyph((80, 80, 5, 5), normalize(drawn(60, 50, 0)))
    line = adjusted([row(10, 0.97), row(10, 0.99)], [STROKE, speck])
    assert line.argmax(axis=1).tolist() == [1, 10]


def test_an_image_without_shapes_has_no_stroke():
    assert adjust_for_strokes([], [], SIZE) == []


def test_reading_a_stroke_again_gives_the_same(engine):
    picture = crop(140, 25, 0.18)
    (reading,) = read_images(engine, [png(picture)])
    ((value, confidence, _),) = read_again(
        engine, [[[digit.glyph for digit in reading.digits]]], [picture.shape[::-1]]
    )
    assert value == 1
    assert confidence == pytest.approx(reading.confidence, abs=1e-5)
