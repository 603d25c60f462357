"""What ink is as one stroke of a pen."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.images.strokes import stroke_of

FINE = 4  # strokes are drawn so many times larger


def drawn(length: float, thick: int, lean: float, bend: float = 0.0) -> np.ndarray:
    """Ink of a stroke, bent to the right, in the middle of 200x200 pixels."""
    along = np.linspace(-0.5, 0.5, 40)
    across = bend * (1 - 4 * along**2)
    sine, cosine = np.sin(np.radians(lean)), np.cos(np.radians(lean))
    x, y = along * sine + across * cosine, across * sine - along * cosine
    points = np.rint((100 + length * np.stack([x, y], axis=1)) * FINE).astype(np.int32)[:, None]
    away = np.ones((200 * FINE, 200 * FINE), np.uint8)
    cv2.polylines(away, [points], False, 0)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, 5)
    ink = np.clip(FINE * thick / 2 - distance + 0.5, 0, 1) * 255
    return cv2.resize(ink, (200, 200), interpolation=cv2.INTER_AREA).astype(np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    length=st.floats(40, 160),
    thick=st.integers(2, 9),
    lean=st.floats(-85, 85),
    bend=st.floats(0, 0.2),
)
def test_a_stroke_is_measured(length, thick, lean, bend):
    stroke = stroke_of(drawn(length, thick, lean, bend))
    assert stroke is not None
    assert length - 2 <= stroke.length <= length + thick + 2
    assert stroke.lean == pytest.approx(lean, abs=5)
    assert thick * 0.8 <= stroke.thick <= thick * (1 + 1.5 * bend) + 1
    assert stroke.bend == pytest.approx(bend, abs=0.06)
    assert stroke.uneven < 0.08 + 1.5 / length
    assert stroke.filled > 0.5


def test_lying_strokes_are_turned_by_90_degrees():
    assert abs(stroke_of(drawn(90, 5, 90)).lean) == pytest.approx(90, abs=1)


def test_a_digit_is_no_even_stroke(mnist):
    for row in (0, 1, 3, 4, 61):  # a 7, a 2, a 0, a 4 and an 8
        stroke = stroke_of(mnist.images[row])
        assert stroke is None or stroke.uneven > 0.1 or stroke.filled < 0.75


@pytest.mark.parametrize("place", [(), (60,), (60, 62)])
def test_what_is_too_small_or_has_gaps_is_no_stroke(place):
    ink = np.zeros((100, 100), np.uint8)
    for row in place:
        ink[row, 50] = 255
    assert stroke_of(ink) is None
    ink[10:40, 50] = ink[80:95, 50] = 255
    assert stroke_of(ink) is None
