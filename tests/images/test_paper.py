"""The paper under the ink: shadows with edges, and printed lines."""

import cv2
import numpy as np
import pytest

from tests.pictures import in_lines
from worker.images.finding import extract_ink, find_digits, find_ink
from worker.images.paper import find_paper, without_rules


@pytest.fixture
def page(mnist) -> np.ndarray:
    return cv2.resize(in_lines(mnist, [[0, 1, 2, 3], [4, 7, 11]], 90), None, fx=1.4, fy=1.4)


def ruled(page: np.ndarray, pitch: int = 40, slope: float = 0.0, upright=False) -> np.ndarray:
    """Print lines on a page, paler than its ink."""
    lines = np.full(page.shape, 255, np.uint8)
    height, width = page.shape
    for y in range(-height, 2 * height, pitch):
        cv2.line(lines, (0, y), (width, round(y + slope * width)), 150, 2, cv2.LINE_AA)
    if upright:
        for x in range(-width, 2 * width, pitch):
            cv2.line(lines, (x, 0), (round(x + slope * height), height), 150, 2, cv2.LINE_AA)
    return np.minimum(page, lines)


def boxes(grey: np.ndarray) -> np.ndarray:
    return np.array([glyph.box for glyph in find_digits(grey)])


@pytest.mark.parametrize("slope", [0, 0.02, -0.05])
@pytest.mark.parametrize("upright", [False, True], ids=["ruled", "squared"])
def test_digits_are_found_on_printed_lines(page, slope, upright):
    clean = boxes(page)
    found = boxes(ruled(page, slope=slope, upright=upright))
    assert len(clean) == 7
    assert found.shape == clean.shape
    assert np.abs(found - clean).max() <= 12


def test_strokes_that_cross_a_printed_line_stay_whole(page):
    ink = extract_ink(ruled(page))
    kept = without_rules(ink)
    strokes = page < 100
    assert (kept[strokes] > 100).mean() > 0.97
    assert (kept[page > 240] > 24).mean() < 0.1 * (ink[page > 240] > 24).mean()


def test_strokes_as_long_as_the_image_are_not_printed_lines():
    """Seven hairlines on a wide drawing are 1s; a single dash is ink."""
    ink = np.zeros((200, 700), np.uint8)
    ink[5:195, 50:650:100] = 255
    assert np.array_equal(without_rules(ink), ink)
    dash = np.zeros((200, 700), np.uint8)
    dash[100:102, 10:690] = 255
    assert np.array_equal(without_rules(dash), dash)


@pytest.mark.parametrize("thick", [1.0, 2.5])
@pytest.mark.parametrize("lean", [6, 12])
def test_a_thin_1_that_leans_is_not_a_printed_line(thick, lean):
    """Nor is it one but for the places where it steps from one column to the next."""
    x = 240 + 2 * np.array([-lean - thick, -lean + thick, lean + thick, lean - thick])
    fine = np.zeros((560, 480), np.uint8)
    outline = np.stack([x, (24, 24, 532, 532)], axis=1)
    cv2.fillPoly(fine, [np.rint(outline).astype(np.int32)], 255)
    ink = cv2.resize(fine, (120, 140), interpolation=cv2.INTER_AREA)
    assert np.array_equal(without_rules(ink), ink)


def test_a_shadow_with_an_edge_hides_nothing(page):
    clean = boxes(page)
    height, width = page.shape
    y, x = np.mgrid[0:height, 0:width]
    for side in (x - 0.5 * width, 0.45 * width - x + 0.3 * y, y - 0.55 * height):
        light = 1 - 0.35 / (1 + np.exp(-side / 8))
        found = boxes((page * light).astype(np.uint8))
        assert found.shape == clean.shape
        assert np.abs(found - clean).max() <= 12


def test_light_ink_on_dark_is_detected_by_its_strokes(page):
    _, dark = find_paper(page)
    _, light = find_paper(255 - page)
    assert (dark, light) == (-1, 1)
    assert len(find_ink(255 - page).lines) == 2


def test_the_paper_level_follows_the_light(mnist):
    blank = np.linspace(120, 240, 300)[None, :].repeat(200, 0).astype(np.uint8)
    level, _ = find_paper(blank)
    assert np.abs(level - blank).max() < 6


@pytest.mark.parametrize("width", [0.03, 0.1, 0.2])
@pytest.mark.parametrize("angle", [0, 40, 110])
def test_an_empty_page_in_shade_is_empty(width, angle):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-1:1:300j, -1:1:420j]
    along = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle)) + 0.2
    page = 200 * (1 - 0.3 / (1 + np.exp(-along / width))) + rng.normal(0, 3, x.shape)
    assert not extract_ink(page.astype(np.uint8)).any()


@pytest.mark.parametrize("side", [128, 512])
def test_a_tiny_digit_enlarged_is_not_shade(mnist, side):
    """Its edges are as soft as those of a shadow, and cut close it runs out of the image."""
    for row in range(20):
        rows, columns = np.nonzero(mnist.images[row] > 40)
        cut = mnist.images[row][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        tiny = cv2.resize(cut, (8, 8), interpolation=cv2.INTER_AREA)
        large = 255 - cv2.resize(tiny, (side, side), interpolation=cv2.INTER_CUBIC)
        assert extract_ink(large).any()


@pytest.mark.parametrize("side", range(40, 104, 4))
def test_strokes_are_full_of_ink_in_an_image_of_any_size(mnist, side):
    for digit in mnist.images[:30]:
        shown = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)
        assert extract_ink(255 - shown)[shown > 200].mean() > 200


@pytest.mark.parametrize("side", [64, 140, 250])
@pytest.mark.parametrize("lean", [0, 15, 30])
@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_a_broad_stroke_is_no_shadow(side, lean, light):
    """It is as dark within as at its edges, which a shadow that hides strokes is not."""
    ink = np.zeros((side, side), np.uint8)
    half = 0.36 * side * np.array([np.tan(np.radians(lean)), -1])
    ends = [tuple(np.rint(side / 2 + way * half).astype(int).tolist()) for way in (-1, 1)]
    cv2.line(ink, ends[0], ends[1], 255, round(0.17 * side), cv2.LINE_AA)
    grey = 20 + 0.8 * ink if light else 240 - 0.8 * ink
    grey = grey + np.random.default_rng(1).normal(0, 2, grey.shape)
    found = extract_ink(np.clip(grey, 0, 255).astype(np.uint8))
    assert found[ink == 255].mean() > 220
    assert found[ink == 0].mean() < 5


def test_a_blot_beside_digits_is_ink_and_no_shadow(page):
    """As a shadow, its contour alone was left, which reads as a 0."""
    wide = np.pad(page, ((0, 0), (0, 160)), constant_values=250)
    centre = wide.shape[1] - 90, 90
    cv2.ellipse(wide, centre, (60, 45), 20, 0, 360, 20, -1)
    ink = extract_ink(wide)
    assert ink[centre[1] - 20 : centre[1] + 20, centre[0] - 20 : centre[0] + 20].min() > 200


@pytest.mark.parametrize("row", [128, 179, 435])
@pytest.mark.parametrize("light", [False, True])
def test_what_is_cut_out_closely_is_ink_though_it_covers_nearly_half(mnist, row, light):
    """Ink is seldom in the corners. The rows are 8s, which were taken for paper."""
    left, top, width, height = cv2.boundingRect((mnist.images[row] > 60).view(np.uint8))
    ink = mnist.images[row][top : top + height, left : left + width]
    ink = cv2.resize(ink, (5 * width, 5 * height), interpolation=cv2.INTER_CUBIC)
    picture = 40 + ink * 0.7 if light else 220 - ink * 0.7
    (glyph,) = find_digits(picture.astype(np.uint8))
    assert glyph.box[2] >= 0.9 * ink.shape[1]
    assert glyph.box[3] >= 0.9 * ink.shape[0]
