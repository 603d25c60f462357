"""Image files -> readings: the path that the site, the commands and the notebook share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from worker.arrays import Probabilities
from worker.images.colours import grey_of
from worker.images.decoding import MAX_PIXELS, Picture, decode
from worker.images.errors import ImageError
from worker.images.finding import Glyph, Page, pixels_of
from worker.images.shapes import Shape
from worker.images.sheets import find_ink_on_sheets
from worker.images.turned import ON_ITS_HEAD, TURNS, find_ink_turned, pixels_turned
from worker.reading.cautions import TURNED_MAYBE, cautions
from worker.reading.doodles import is_doodle
from worker.reading.neighbours import adjust_for_neighbours
from worker.reading.networks import CLASSES
from worker.reading.segmentation import (
    MOST_PARTS,
    Candidate,
    best_path,
    candidates,
)
from worker.reading.spacing import is_raised, with_spaces
from worker.reading.strokes import adjust_for_strokes
from worker.reading.text import joined
from worker.reading.turning import (
    clearness,
    is_uncertain,
    may_be_turned,
    may_lie_on_its_head,
    upright,
)
from worker.reading.verifier import in_context

if TYPE_CHECKING:
    from worker.reading.engine import Engine

VOTERS = 40  # shapes of a turned page that are read to know which of its turns is upright,
VOTING_PARTS = 100  # and parts of these at most
# Times as many as of a page, and at most: a shape with more parts is not cut. 15 of MNIST's digits
# that all touch have 750 to 1,100; with 2,400, one shape of a damaged photo took 1.8 s.
OF_ONE_SHAPE, MOST_OF_ONE = 4, 1800
# Shapes of a page: of more, as many as VOTERS tell which turns are worth a look. With 80, noise of
# 200 x 200 pixels took 3.5 s of the processor, with 40 noise of 120 x 120 2.3 s, with 24 2.1 s.
CROWDED = 16
READABLE_BY_SAMPLE = 0.5  # how clear that sample is, turned: half as clear as of a page of digits
# The share of what looks struck out that is, on benchmarks.complaints (between, seed 1).
STRUCK_OUT = 0.95
# What is read with this probability is a digit, though it looks struck out: so are most of MNIST's
# test images that do, nearly all of them 4s, and 3 % of struck-out digits.
CLEAR = 0.999
BARRED = (4, 7)  # digits with a bar of their own, which may stand out on both sides,
CLEAR_BARRED = 0.8  # need be no clearer than this
# A shape is read as "not a digit" from this probability on, relative to that of the best digit.
REJECT_FROM = 0.5  # the more probable of the two; the value since there is this class


@dataclass(frozen=True)
class ReadDigit:
    """One digit and the model's probabilities for it.

    value: 0 to 9, or None for "not a digit".
    confidence: the probability of the value.
    probabilities: of 0 to 9, float32, shape (10,); what they lack to 1 is that of "not a digit".
    before: what is written between it and the digit before it in its line: marks, and a space where
        the gap is wide.
    after: what is written after it, if it is the last of its line.
    """

    value: int | None
    confidence: float
    probabilities: Probabilities
    glyph: Glyph
    before: str = ""
    after: str = ""

    @property
    def sign(self) -> str:
        """The digit as text; empty for "not a digit"."""
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True)
class Reading:
    """The answer for one image: its digits in reading order, or the error that stopped it.

    image: the decoded image: RGB, upright, perhaps reduced.
    width, height: the size of the whole, upright image; boxes are in its pixels.
    turned: by how many degrees, clockwise, the image was turned to read it; boxes are in the image
        before that.
    cautions: codes of what was left out or may be wrong, keys of worker.reading.cautions.TEXTS.
    pages, of_pages: how many pages were read, one below the other, and how many the file has.
    frame: which frame of an animation was read, from 0.
    """

    digits: list[ReadDigit] = field(default_factory=list)
    error: ImageError | None = None
    image: Image.Image | None = None
    width: int = 0
    height: int = 0
    turned: int = 0
    cautions: tuple[str, ...] = ()
    pages: int = 1
    of_pages: int = 1
    frame: int = 0

    @property
    def text(self) -> str:
        """The digits as text, with the marks between them; a space stands between two lines."""
        return joined((d.glyph.line, d.before, d.sign, d.after) for d in self.digits)

    @property
    def confidence(self) -> float | None:
        """The least confidence of what was found, "not a digit" included; None without any."""
        return min((digit.confidence for digit in self.digits), default=None)


def read_images(
    engine: "Engine",
    files: list[bytes],
    max_pixels: int = MAX_PIXELS,
    turns: Sequence[int | None] = (),
) -> list[Reading]:
    """Read image files in two batches: the shapes found, and then the parts they may be cut into.

    Args:
        files: the contents of image files.
        max_pixels: images with more pixels are refused.
        turns: for each file, by how many degrees its image is turned before it is read: 0, 90, 180
            or 270, clockwise; None as it is read best. None for all if there are none.

    Returns:
        One reading a file, in order. A file that cannot be read has an error, and does not affect
        the others.
    """
    turns = turns or [None] * len(files)
    looks = [_look(data, max_pixels, turn) for data, turn in zip(files, turns, strict=True)]
    return _upright(engine, looks, _read(engine, looks))


def _read(
    engine: "Engine", looks: "Sequence[_Look | ImageError]", most_parts: int = MOST_PARTS
) -> list[Reading]:
    """Read what was found in files; in each page, shapes are cut into so many parts at most."""
    pages = [page for look in looks if isinstance(look, _Look) for page in look.pages]
    read = iter(
        _predict(engine, [shape for page in pages for line in page.lines for shape in line])
    )
    found = [line for page in pages for line in _candidates(page, read, most_parts)]
    found = _verified(engine, found)
    unread = [one for line in found for one in line if one.probabilities is None]
    for candidate, row in zip(unread, _predict(engine, [one.shape for one in unread]), strict=True):
        candidate.probabilities = row
    chosen = iter([best_path(line) for line in found])
    return [
        _reading(look, chosen) if isinstance(look, _Look) else Reading(error=look) for look in looks
    ]


def read_again(
    engine: "Engine", images: list[list[list[Glyph]]], sizes: list[tuple[int, int]]
) -> list[tuple[int | None, float, Probabilities]]:
    """Read digits that were found before, with the same adjustment for their neighbours.

    Args:
        images: for each image its lines, and for each of those its digits.
        sizes: (width, height) of each image as it was sent, in pixels.

    Returns:
        For each digit, in order: its value, or None for "not a digit"; the probability of that;
        the probabilities of 0 to 9.
    """
    lines = [line for image in images for line in image]
    pixels = [glyph.pixels for line in lines for glyph in line]
    rows = engine.predict(np.stack(pixels)) if pixels else np.zeros((0, CLASSES), np.float32)
    ends = np.cumsum([len(line) for line in lines])[:-1]
    read = iter(np.split(rows, ends) if lines else ())
    regarded = [
        _adjusted([next(read) for _ in image], image, size)
        for image, size in zip(images, sizes, strict=True)
    ]
    return [(*decide(row), row[:-1]) for image in regarded for line in image for row in line]


def _adjusted(
    lines: list[Probabilities], glyphs: list[list[Glyph]], size: tuple[int, int]
) -> list[Probabilities]:
    """Adjust the probabilities of an image's lines by what stands where in it."""
    return adjust_for_neighbours(adjust_for_strokes(lines, glyphs, size), max(size))


@dataclass(frozen=True)
class _Look:
    """What was found in a file: a picture and the ink in each of its pages, turned by degrees.

    is_fixed: whether somebody said by how many.
    """

    picture: Picture
    pages: list[Page]
    turned: int = 0
    is_fixed: bool = False


def _look(data: bytes, max_pixels: int, turn: int | None) -> _Look | ImageError:
    try:
        picture = decode(data, max_pixels)
        greys = [grey_of(page) for page in picture.pages]
        pages = [find_ink_turned(one, turn) if turn else find_ink_on_sheets(one) for one in greys]
        return _Look(picture, pages, turn or 0, is_fixed=turn is not None)
    except ImageError as error:
        # Its traceback would keep the picture until the garbage collector runs.
        return ImageError(str(error))


def _upright(
    engine: "Engine", looks: list[_Look | ImageError], readings: list[Reading]
) -> list[Reading]:
    """Return the readings; of a page that is not clear, that of the turn in which it is.

    A page that is nearly clear is looked at on its head alone, to say if that is clearer.
    """
    wanted = [
        (number, look, turns)
        for number, (look, reading) in enumerate(zip(looks, readings, strict=True))
        if isinstance(look, _Look)
        and not look.is_fixed
        and (turns := _turns_to_look_at(_rows(reading)))
        and (turns := _worth_a_look(engine, look, turns))
    ]
    if not wanted:
        return readings
    turned = [look for _, look, turns in wanted for look in _turned(look, turns)]
    voters = [_voters(look) for look in turned]
    read = zip(turned, _read(engine, voters, VOTING_PARTS), strict=True)
    whole: list[tuple[int, _Look]] = []
    for number, _, turns in wanted:
        votes = [next(read) for _ in turns]
        readings[number] = chosen = _most_upright(
            {0: readings[number]} | {look.turned: reading for look, reading in votes}
        )
        whole += [(number, look) for look, _ in votes if look.turned == chosen.turned]
    for (number, _), reading in zip(whole, _read(engine, [look for _, look in whole]), strict=True):
        said = (*reading.cautions, *(TURNED_MAYBE,) * (TURNED_MAYBE in readings[number].cautions))
        readings[number] = replace(reading, cautions=said)
    return readings


def _turned(look: _Look, turns: tuple[int, ...]) -> list[_Look]:
    """Return what is found in a picture after each of these turns."""
    pages = [grey_of(page) for page in look.picture.pages]
    return [
        _Look(look.picture, [find_ink_turned(grey, turn) for grey in pages], turn) for turn in turns
    ]


def _voters(look: _Look) -> _Look:
    """Return a look at the first lines alone, where there are more shapes than tell how a page
    lies: a picture full of noise is not read four times."""
    pages, left = [], VOTERS
    for page in look.pages:
        lines = []
        for line in page.lines:
            if left <= 0:
                break
            lines.append(line.of(line[:left]))
            left -= len(lines[-1])
        pages.append(replace(page, lines=lines))
    return replace(look, pages=pages)


def _turns_to_look_at(rows: list[Probabilities]) -> tuple[int, ...]:
    """Return the turns, in degrees, of a page with these rows that may be clearer than it is."""
    if may_be_turned(rows):
        return TURNS
    return (ON_ITS_HEAD,) if may_lie_on_its_head(rows) else ()


def _worth_a_look(engine: "Engine", look: _Look, turns: tuple[int, ...]) -> tuple[int, ...]:
    """Return those of some turns in which a page may be read, by a sample where it is crowded.

    A picture of noise is looked at once.
    """
    if any(page.too_many or page.is_noise for page in look.pages):
        return ()
    shapes = [shape for page in look.pages for line in page.lines for shape in line]
    if len(shapes) <= CROWDED:
        return turns
    sample = shapes[:: max(1, len(shapes) // VOTERS)][:VOTERS]
    clear = {
        turn: clearness(
            list(_predict(engine, [_turned_shape(one, turn) for one in sample])[:, :-1])
        )
        for turn in (0, *turns)
    }
    return tuple(turn for turn in turns if clear[turn] > max(clear[0], READABLE_BY_SAMPLE))


def _turned_shape(shape: Shape, degrees: int) -> Shape:
    """Return a shape with its ink turned where it is."""
    return Shape(shape.x, shape.y, pixels_turned(shape.ink, degrees))


def _most_upright(readings: dict[int, Reading]) -> Reading:
    """Return the reading of the turn that is upright, which says so if that is uncertain."""
    rows = {turn: _rows(reading) for turn, reading in readings.items()}
    best = upright(list(rows.values())) if may_be_turned(rows[0]) else 0
    reading = list(readings.values())[best]
    if not is_uncertain(rows, reading.turned):
        return reading
    return replace(reading, cautions=(*reading.cautions, TURNED_MAYBE))


def _rows(reading: Reading) -> list[Probabilities]:
    return [digit.probabilities for digit in reading.digits]


def _candidates(page: Page, read: Iterator[Probabilities], most: int) -> list[list[Candidate]]:
    """Return the candidates of each line, with about so many parts of shapes at most.

    read: yields the probabilities of the next shape.
    """
    found, left = [], most
    for line in page.lines:
        rows = np.stack([next(read) for _ in line])
        found.append(candidates(line, rows, left, min(OF_ONE_SHAPE * most, MOST_OF_ONE)))
        left -= sum(one.probabilities is None for one in found[-1])
    return found


def _verified(engine: "Engine", lines: list[list[Candidate]]) -> list[list[Candidate]]:
    """Set the verifier's probabilities on each part of a shape that was cut; drop rejected parts.

    A shape that was not cut is not verified.
    """
    cut = {id(one.within) for line in lines for one in line if one.within and not one.is_found}
    if not cut:
        return lines
    parts = [
        (one, one.within) for line in lines for one in line if one.within and id(one.within) in cut
    ]
    if parts:
        seen = np.stack([in_context(part.shape, whole) for part, whole in parts])
        for (part, _), row in zip(parts, engine.verify(seen), strict=True):
            part.verified = row
    return [[one for one in line if not one.is_rejected] for line in lines]


def _predict(engine: "Engine", shapes: list[Shape]) -> Probabilities:
    if not shapes:
        return np.zeros((0, CLASSES), np.float32)
    return engine.predict(np.stack([pixels_of(shape) for shape in shapes]))


def _reading(look: _Look, chosen: Iterator[list[Candidate]]) -> Reading:
    """Make a reading of a look and the next chosen candidates, one list a line."""
    picture = look.picture
    tops = [area[1] for area in picture.areas] or [0]
    places = [
        (page, top, number)
        for page, top in zip(look.pages, tops, strict=True)
        for number in range(len(page.lines))
    ]
    lines = [next(chosen) for _ in places]
    glyphs = [
        [
            _in_whole_image(replace(page.glyph(one.shape, own), line=number), top, picture)
            for one in line
        ]
        for number, ((page, top, own), line) in enumerate(zip(places, lines, strict=True))
    ]
    alone = [np.stack([one.reading for one in line]) for line in lines]
    read = _adjusted(alone, glyphs, (picture.width, picture.height))
    marks = [page.lines[own].marks for page, _, own in places]
    around = with_spaces([[one.shape for one in line] for line in lines], marks)
    digits, sides, are_raised = [], [], False
    for number, ((page, _, own), line) in enumerate(zip(places, lines, strict=True)):
        beside = zip(line, glyphs[number], read[number], around[number], strict=True)
        for one, glyph, row, written in beside:
            seen = _struck_out(row) if _is_struck_out(one) else row
            digits.append(ReadDigit(*decide(seen), seen[:-1], glyph, *written))
            sides.append(page.sides(one.shape, own))
        read_as_digits = zip(line, digits[-len(line) :], strict=True)
        are_raised |= is_raised([one.shape for one, d in read_as_digits if d.value is not None])
    said = cautions(
        [one.value is not None for one in digits],
        sides,
        is_raised=are_raised,
        has_fraction=any(page.has_fraction for page in look.pages),
        may_have_slash=any(not mark.sign for line in marks for mark in line),
        struck_out=sum(_is_struck_out(one) for line in lines for one in line),
        is_cut=any(page.is_cut for page in look.pages),
        is_cut_out=all(page.is_cut_out for page in look.pages),
        too_many=sum(page.too_many for page in look.pages),
        more_pages=picture.of_pages > len(look.pages),
        is_moving=picture.frame > 0,
    )
    return Reading(
        digits,
        None,
        picture.image,
        picture.width,
        picture.height,
        turned=look.turned,
        cautions=said,
        pages=len(tops),
        of_pages=picture.of_pages,
        frame=picture.frame,
    )


def _in_whole_image(glyph: Glyph, top: int, picture: Picture) -> Glyph:
    """Return the glyph, of a page that begins at this row, with its box in pixels of the image as
    sent, not of a reduced one."""
    across = picture.width / picture.image.width
    along = picture.height / picture.image.height
    x, y, width, height = glyph.box
    y += top
    box = round(x * across), round(y * along), round(width * across), round(height * along)
    return replace(glyph, box=box)


def decide(probabilities: Probabilities) -> tuple[int | None, float]:
    """Return the value that 11 probabilities mean, None for "not a digit", and its probability."""
    other, value = float(probabilities[-1]), int(probabilities[:-1].argmax())
    digit = float(probabilities[value])
    if other >= REJECT_FROM * (other + digit):
        return None, other
    return value, digit


def _is_struck_out(candidate: Candidate) -> bool:
    """Return whether a shape looks struck out, and is no clear digit for all that."""
    looks_so = candidate.shape.is_struck_out and not is_doodle(candidate.shape)
    value = int(candidate.reading[:-1].argmax())
    clear = CLEAR_BARRED if value in BARRED else CLEAR
    return looks_so and float(candidate.reading[value]) < clear


def _struck_out(row: Probabilities) -> Probabilities:
    """Return the probabilities of a digit that was struck out: it is most likely not to be read."""
    seen: Probabilities = row * (1 - STRUCK_OUT)
    seen[-1] += STRUCK_OUT
    return seen
