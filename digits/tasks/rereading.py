"""Rereadings in a classify worker."""

import logging
from itertools import groupby
from typing import TYPE_CHECKING

from django.db import transaction

from digits.models import Digit, Prediction, Rereading
from digits.queue import keeping
from digits.tasks import serving
from digits.uploads import rereading
from digits.uploads.lines import lines_of
from worker.reading.bundle import ModelError

if TYPE_CHECKING:
    from worker.images.finding import Glyph
    from worker.reading.engine import Engine

logger = logging.getLogger(__name__)


def work_on_rereadings(claimed: list[Rereading]) -> None:
    """Read claimed uploads again, or fail them if their version cannot be loaded."""
    version = claimed[0].version
    try:
        engine = serving.process.engine_of(version)
    except ModelError as error:
        logger.error("%s cannot read again: %s", version, error)
        rereading.finish(claimed, str(error))
        return
    with keeping.kept(claimed):
        _read(claimed, engine)


def _read(claimed: list[Rereading], engine: "Engine") -> None:
    """Read the digits of claimed uploads again, and save the predictions."""
    from worker.reading.reading import read_again

    version = claimed[0].version
    images, sizes = _digits_in_lines(claimed)
    digits = [digit for lines in images for line in lines for digit in line]
    glyphs = [[[_glyph(digit) for digit in line] for line in lines] for lines in images]
    readings = read_again(engine, glyphs, sizes)
    rows = [
        Prediction(
            digit=digit,
            version=version,
            value=value,
            confidence=confidence,
            probabilities=[round(float(share), 6) for share in probabilities],
        )
        for digit, (value, confidence, probabilities) in zip(digits, readings, strict=True)
    ]
    with transaction.atomic():
        Prediction.objects.bulk_create(rows, ignore_conflicts=True)
        labelled = Prediction.objects.filter(digit__in=digits, digit__label__isnull=False)
        labelled.update(to_review=False)
        rereading.finish(claimed)


def _glyph(digit: Digit) -> "Glyph":
    import numpy as np

    from worker.images.finding import SIZE, Glyph

    box = digit.x, digit.y, digit.width, digit.height
    pixels = np.frombuffer(bytes(digit.pixels), np.uint8).reshape(SIZE, SIZE)
    return Glyph(box, pixels, digit.line)


def _digits_in_lines(
    claimed: list[Rereading],
) -> tuple[list[list[list[Digit]]], list[tuple[int, int]]]:
    """Return the digits of each upload with digits, line by line, and (width, height) of it."""
    uploads = {row.upload_id: row.upload for row in claimed}
    found = Digit.objects.filter(upload__in=uploads).order_by("upload", "position")
    grouped = groupby(found.with_predictions(), key=lambda digit: digit.upload_id)
    own = [(uploads[pk], lines_of(digits)) for pk, digits in grouped]
    return [lines for _, lines in own], [(up.width or 0, up.height or 0) for up, _ in own]
