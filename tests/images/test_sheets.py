"""Light sheets on a darker ground: found, straightened, and boxes that fit the image as sent."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.pictures import encoded, in_lines, png
from worker.images.finding import find_ink
from worker.images.sheets import find_ink_on_sheets, find_sheets
from worker.reading.reading import read_images


@pytest.fixture
def note(mnist) -> np.ndarray:
    """A sheet with 7 2 1 0 on it."""
    return in_lines(mnist, [[0, 1, 2, 3]], 70)


def desk(level: int = 50, size: tuple[int, int] = (700, 900)) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 3, size)
    stripes = 0.2 * level * np.sin(np.arange(size[0]) / 9)[:, None]
    return np.clip(level + stripes + noise, 0, 255).astype(np.float32)


def lay(sheet: np.ndarray, ground: np.ndarray, middle, turn: float = 0, narrow: float = 1.0):
    """Lay a sheet, turned by degrees, its upper side narrowed; return image and transformation."""
    high, wide = sheet.shape
    ends = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    around = ends - (wide / 2, high / 2)
    around[:2, 0] *= narrow
    angle = np.radians(turn)
    axes = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    matrix = cv2.getPerspectiveTransform(ends, (around @ axes + middle).astype(np.float32))
    size = ground.shape[::-1]
    seen = cv2.warpPerspective(sheet.astype(np.float32), matrix, size)
    cover = cv2.warpPerspective(np.ones(sheet.shape, np.float32), matrix, size)
    return ground * (1 - cover) + seen * cover, matrix


def read(engine, image: np.ndarray):
    return read_images(engine, [png(np.clip(image, 0, 255))])[0]


@pytest.mark.parametrize("level", [10, 50, 90, 130])
@pytest.mark.parametrize(("turn", "narrow"), [(0, 1), (8, 0.8), (-20, 1), (20, 0.9)])
def test_a_sheet_on_a_desk_is_read(engine, note, level, turn, narrow):
    image, _ = lay(note, desk(level), (430, 360), turn, narrow)
    assert read(engine, image).text == "7210"


def test_boxes_go_around_the_digits_of_the_image_as_sent(engine, note, mnist):
    image, matrix = lay(note, desk(), (450, 350), 15, 0.85)
    large = cv2.resize(image, None, fx=3, fy=3)  # it is read at a smaller size
    reading = read(engine, large)
    assert reading.text == "7210"
    for digit, own in zip(reading.digits, find_ink(note).lines[0], strict=True):
        x, y, width, height = digit.glyph.box
        ends = np.array([[own.x, own.y], [own.x + own.width, own.y + own.height]], np.float64).mean(
            axis=0
        )
        middle = 3 * cv2.perspectiveTransform(ends[None, None], matrix)[0, 0]
        assert abs(x + width / 2 - middle[0]) < 12
        assert abs(y + height / 2 - middle[1]) < 12
        assert 0.8 < height / (3 * own.height) < 1.5


@pytest.mark.parametrize("middle", [(140, 330), (760, 330), (450, 40), (450, 660), (120, 90)])
def test_a_sheet_that_the_edge_cuts_off_is_read(engine, note, middle):
    around = cv2.copyMakeBorder(note, 150, 150, 150, 150, cv2.BORDER_CONSTANT, value=250)
    x, y = middle
    image, _ = lay(around, desk(), (min(max(x, 230), 670), min(max(y, 120), 580)), 6)
    assert read(engine, image).text == "7210"


def test_several_sheets_are_read_row_by_row(engine, mnist):
    ground = desk(size=(900, 900))
    for indexes, middle in [([0, 1], (230, 220)), ([2, 3], (650, 260)), ([4, 7], (420, 640))]:
        ground, _ = lay(in_lines(mnist, [indexes], 60), ground, middle, 5)
    reading = read(engine, ground)
    assert reading.text == "72 10 49"
    assert [digit.glyph.line for digit in reading.digits] == [0, 0, 1, 1, 2, 2]


def test_light_ink_on_dark_paper_is_no_sheet(mnist):
    page = 255 - in_lines(mnist, [[0, 1, 2], [3, 4, 5]], 110)
    for image in (page, cv2.resize(255 - mnist.images[3].astype(np.uint8), (400, 400))):
        assert find_sheets(image) == []
        assert find_sheets(255 - image) == []


def test_a_shadow_on_a_page_is_no_ground(mnist):
    """All lines are read, those in the shadow, too."""
    page = in_lines(mnist, [[0, 1, 2, 3], [4, 7, 11, 12]], 90).astype(np.float32)
    page[: len(page) // 2] *= 0.65
    assert find_sheets(page.astype(np.uint8)) == []


def test_a_frame_around_digits_is_no_ground(note):
    page = cv2.copyMakeBorder(note, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=20)
    page = cv2.copyMakeBorder(page, 80, 80, 80, 80, cv2.BORDER_CONSTANT, value=250)
    assert find_sheets(page) == []


def test_a_sheet_without_ink_is_none(note):
    image, _ = lay(np.full_like(note, 240), desk(), (450, 350), 5)
    assert find_sheets(image.astype(np.uint8)) == []


@pytest.mark.parametrize("noise", [0, 3, 5])
def test_a_broad_light_stroke_is_no_sheet(noise):
    """Grain on it is no writing."""
    image = np.full((212, 212), 50, np.uint8)
    cv2.line(image, (96, 32), (108, 178), 170, 36, cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, noise, image.shape)
    assert find_sheets(np.clip(image + grain, 0, 255).astype(np.uint8)) == []


def test_a_plain_page_is_looked_at_as_before(note):
    own, before = find_ink_on_sheets(note), find_ink(note)
    assert [len(line) for line in own.lines] == [len(line) for line in before.lines]
    assert own.glyph(own.lines[0][0], 0).box == before.glyph(before.lines[0][0], 0).box


@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 240, 160)])
@pytest.mark.parametrize("shadow", [0, 90])
def test_a_window_with_a_transparent_margin_is_read(engine, note, colour, shadow):
    ink = note.astype(np.float32)[..., None] / 255
    window = np.zeros((note.shape[0] + 200, note.shape[1] + 200, 4), np.uint8)
    window[60:-60, 60:-60, 3] = shadow
    window[100:-100, 100:-100, :3] = ink * colour
    window[100:-100, 100:-100, 3] = 255
    (reading,) = read_images(engine, [encoded(Image.fromarray(window), "PNG")])
    assert reading.text == "7210"
    assert min(reading.digits[0].glyph.box[:2]) >= 100


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (250, 200, 40)])
def test_a_drawing_on_full_transparency_is_read(engine, note, colour):
    drawing = np.zeros((*note.shape, 4), np.uint8)
    drawing[..., :3] = colour
    drawing[..., 3] = 255 - note
    (reading,) = read_images(engine, [encoded(Image.fromarray(drawing), "PNG")])
    assert reading.text == "7210"


def test_a_light_digit_on_black_that_the_edge_cuts_is_found(mnist):
    """What is left of it may look like a light sheet on a darker ground."""
    for image in mnist.images[:40]:
        large = cv2.resize(image, (140, 140), interpolation=cv2.INTER_CUBIC)
        cut = np.vstack([large[80:], np.zeros((80, 140), np.uint8)])
        if (cut > 200).sum() > 200:
            assert any(find_ink_on_sheets(cut).lines)
