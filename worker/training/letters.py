"""Letters, and random combinations of strokes, drawn with a pen of any width.

They are examples of "not a digit". The strokes are drawn here: no font is used.
"""

import cv2
import numpy as np

from worker.arrays import Floats, Pixels

SIDE = 56  # of the drawing, in pixels
FINE = 2  # drawn so many times larger, for smooth edges
HALF = 19  # half the height of a letter
STEPS = 6  # lines that one part of a curve is drawn with

# The strokes of letters between points x,y in a square from -1 to 1 (y grows downwards), apart by
# "|"; a stroke with "~" is a curve through its points. Letters that look like digits are left out.
LETTERS = {
    "A": "-1,1 0,-1 1,1|-.6,.3 .6,.3",
    "C": "~.9,-.6 .3,-1 -.5,-.8 -.9,0 -.5,.8 .3,1 .9,.6",
    "D": "-.8,-1 -.8,1|~-.8,-1 .1,-.95 .75,-.5 .9,0 .75,.5 .1,.95 -.8,1",
    "E": ".8,-1 -.8,-1 -.8,1 .8,1|-.8,0 .6,0",
    "F": ".8,-1 -.8,-1 -.8,1|-.8,0 .6,0",
    "G": "~.85,-.6 .3,-1 -.5,-.8 -.9,0 -.5,.8 .3,1 .85,.65|.85,.8 .85,.15 .25,.15",
    "H": "-.8,-1 -.8,1|.8,-1 .8,1|-.8,0 .8,0",
    "J": "~.5,-1 .5,0 .45,.6 .05,1 -.5,.75",
    "K": "-.8,-1 -.8,1|.8,-1 -.7,.15|-.2,-.2 .9,1",
    "L": "-.7,-1 -.7,1 .8,1",
    "M": "-.9,1 -.9,-1 0,.5 .9,-1 .9,1",
    "N": "-.8,1 -.8,-1 .8,1 .8,-1",
    "P": "-.7,1 -.7,-1|~-.7,-1 .4,-.95 .8,-.45 .4,.05 -.7,.1",
    "Q": "~0,-1 -.65,-.75 -.9,0 -.65,.75 0,1 .65,.75 .9,0 .65,-.75 0,-1|.15,.5 .9,1.15",
    "Q with a flat tail": "~0,-1 -.65,-.75 -.9,0 -.65,.75 0,1 .65,.75 .9,0 .65,-.75 0,-1"
    "|~-.2,.6 .2,.75 .5,1.1 .95,1.05",
    "R": "-.7,1 -.7,-1|~-.7,-1 .4,-.95 .75,-.5 .4,0 -.7,0|0,0 .85,1",
    "S": "~.75,-.65 .4,-.95 -.2,-1 -.7,-.65 -.5,-.25 0,-.02 .55,.25 .75,.6 .3,.97 -.3,1 -.8,.6",
    "T": "-.95,-1 .95,-1|0,-1 0,1",
    "U": "~-.8,-1 -.8,0 -.75,.55 -.35,.95 .35,.95 .75,.55 .8,0 .8,-1",
    "V": "-.9,-1 0,1 .9,-1",
    "W": "-1,-1 -.5,1 0,-.7 .5,1 1,-1",
    "X": "-.85,-1 .85,1|.85,-1 -.85,1",
    "Y": "-.9,-1 0,0 .9,-1|0,0 0,1",
    "Z": "-.8,-1 .8,-1 -.85,1 .85,1",
    "a": "~-.7,-.65 -.2,-1 .4,-.9 .7,-.4 .7,1|~.7,-.1 0,-.12 -.7,.15 -.75,.65 -.3,1 .3,.9 .7,.4",
    "alpha": "~.7,-.5 .1,-1 -.6,-.6 -.8,.1 -.5,.85 .1,1 .7,.4|.7,-.95 .7,1",
    "d": ".7,-1 .7,1|~.7,0 .1,-.3 -.55,-.1 -.8,.35 -.5,.85 .1,1 .7,.65",
    "e": "~-.8,.05 .8,.05 .6,-.65 0,-1 -.6,-.7 -.85,0 -.55,.75 .1,1 .75,.65",
    "f": "~.7,-.9 .2,-1 -.1,-.6 -.1,1|-.7,-.25 .6,-.25",
    "h": "-.7,-1 -.7,1|~-.7,.1 -.2,-.25 .4,-.2 .7,.2 .7,1",
    "i": "0,-.35 0,1|-.02,-1 .02,-.88",
    "i with a foot": "-.5,-.35 0,-.35 0,1|-.6,1 .6,1|-.02,-1 .02,-.88",
    "j": "~.2,-.4 .2,.4 .1,.9 -.5,1|.18,-1 .22,-.9",
    "k": "-.7,-1 -.7,1|.6,-.3 -.6,.4|-.2,.15 .7,1",
    "m": "-1,-.6 -1,.6|~-1,-.2 -.6,-.6 -.1,-.5 0,-.1 0,.6|~0,-.2 .4,-.6 .9,-.5 1,-.1 1,.6",
    "n": "-.75,-.9 -.75,.9|~-.75,-.3 -.25,-.9 .4,-.85 .75,-.3 .75,.9",
    "p": "-.7,-1 -.7,1|~-.7,-.55 -.1,-1 .55,-.8 .8,-.35 .5,.2 -.1,.3 -.7,0",
    "r": "-.4,-.9 -.4,1|~-.4,-.3 0,-.85 .7,-.8",
    "t": "~-.1,-1 -.1,.5 .1,.95 .7,.85|-.7,-.45 .6,-.45",
    "u": "~-.75,-.9 -.75,.3 -.4,.9 .25,.85 .75,.3|.75,-.9 .75,.9",
    "y": "-.8,-1 0,.25|.8,-1 -.5,1",
}
# Those that are nearest to digits are drawn three times as often.
NEAR_DIGITS = ("D", "J", "Q", "Q with a flat tail", "S", "Z", "i", "i with a foot", "f", "a")
_NAMES = tuple(LETTERS) + 2 * NEAR_DIGITS


def _parsed(letter: str) -> list[tuple[Floats, bool]]:
    """Return the points of each stroke of a letter, and whether it is a curve."""
    strokes = [(part.lstrip("~").split(), part.startswith("~")) for part in letter.split("|")]
    return [(np.array([pair.split(",") for pair in pairs], float), bent) for pairs, bent in strokes]


_STROKES = {name: _parsed(letter) for name, letter in LETTERS.items()}


def letter(rng: np.random.Generator, name: str | None = None) -> Pixels:
    """Draw a letter: broad or fine, upright or slanted, with feet or without.

    Args:
        rng: the source of chance.
        name: one of LETTERS; by default, any.

    Returns:
        uint8, shape (56, 56); 0 is paper, 255 is full ink.
    """
    jitter = rng.choice([0.0, 0.03, 0.08])
    strokes = []
    for points, is_curve in _STROKES[name or _NAMES[rng.integers(len(_NAMES))]]:
        points = points + rng.normal(0, jitter, points.shape)
        strokes.append(_curve(points) if is_curve else points)
    return _inked(strokes, rng)


def strokes_at_random(rng: np.random.Generator) -> Pixels:
    """Draw two to five strokes that meet, straight or bent, as no letter has them."""
    points = np.array([(x, y) for x in (-0.9, 0, 0.9) for y in (-1, 0, 1)])
    strokes, joints = [], [points[rng.integers(9)]]
    for _ in range(rng.choice([2, 3, 4, 5], p=[0.25, 0.4, 0.25, 0.1])):
        start, end = joints[rng.integers(len(joints))], points[rng.integers(9)]
        if (start == end).all():
            end = -end + 0.5
        stroke = np.array([start, end])
        if rng.random() < 0.4:
            across = (end - start)[::-1] * (1, -1) * rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
            stroke = _curve(np.array([start, (start + end) / 2 + across, end]))
        joints += [end, stroke[len(stroke) // 2]]
        strokes.append(stroke)
    return _inked(strokes, rng)


def _curve(points: Floats) -> Floats:
    """Return points along a smooth curve through these: a Catmull-Rom spline."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    share = (np.arange(STEPS) / STEPS)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 3 * b - a - 3 * c + d
        square = 2 * a - 5 * b + 4 * c - d
        parts.append(b + 0.5 * share * (c - a + share * (square + share * cubic)))
    return np.concatenate([*parts, points[-1:]])


def _inked(strokes: list[Floats], rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.3:
        strokes = strokes + _feet(strokes, rng)
    wide, slant = rng.uniform(0.5, 1.0), rng.choice([0.0, rng.uniform(-0.1, 0.35)])
    to_pixels = np.array([[wide, 0], [-slant, 1]]) * HALF * FINE
    lines = [np.rint((stroke @ to_pixels + SIDE * FINE / 2) * 16).astype(int) for stroke in strokes]
    page = np.zeros((SIDE * FINE,) * 2, np.uint8)
    width = round(float(rng.choice([1, 2, 3, 4, 5, 6, 8, 10]) * rng.uniform(0.8, 1.2)) * FINE)
    # A broad nib is thick in one direction; a brush or a ball-pen in all.
    contrast = rng.random() < 0.3
    pen = max(1, width // 3) if contrast else max(1, width)
    for line in lines:
        cv2.polylines(page, [line], False, 255, pen, cv2.LINE_AA, 4)
    if contrast:
        page = cv2.dilate(page, np.ones((1, max(1, width - pen + 1)), np.uint8))
    if rng.random() < 0.04:  # letters of which only the outline is drawn
        page = cv2.morphologyEx(page, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    drawing: Pixels = cv2.resize(page, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return drawing


def _feet(strokes: list[Floats], rng: np.random.Generator) -> list[Floats]:
    """Return the short level strokes at the upper and lower ends that many printed letters have."""
    reach = rng.uniform(0.15, 0.35)
    ends = [end for stroke in strokes for end in (stroke[0], stroke[-1]) if abs(end[1]) > 0.8]
    return [np.array([(x - reach, y), (x + reach, y)]) for x, y in ends]
