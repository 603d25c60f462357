"""Uploads in a classify worker: read claimed ones as a batch, and save the readings."""

import io
import logging
import traceback
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction

from digits.models import Digit, ModelVersion, Prediction, Upload
from digits.models.uploads import Status, preview_path
from digits.queue import leases
from digits.tasks import serving
from digits.uploads import queue

if TYPE_CHECKING:
    from PIL.Image import Image

    from worker.reading.engine import Engine
    from worker.reading.reading import Reading

logger = logging.getLogger(__name__)
PREVIEW_SIDE = 640
PAUSE_SECONDS = 10  # before what went wrong is tried again


def work_on_uploads(uploads: list[Upload]) -> None:
    """Read claimed uploads as one batch, and save the readings."""
    try:
        engine, version = serving.process.engine_and_version()
    except Exception:
        # It is not the uploads' fault; the sweeper wakes us again.
        leases.release(*uploads, count_attempt=False)
        raise
    contents = {upload: content for upload in uploads if (content := _content(upload)) is not None}
    try:
        _read(contents, engine, version)
    except Exception as error:
        logger.exception("a batch of %d uploads could not be read", len(contents))
        for upload in contents:
            _retry_or_fail(upload, error)


def _read(contents: dict[Upload, bytes], engine: "Engine", version: ModelVersion) -> None:
    from worker.reading.reading import read_images

    readings = read_images(engine, list(contents.values()), settings.MAX_PIXELS)
    for upload, reading in zip(contents, readings, strict=True):
        try:
            _save(upload, reading, version)
        except OSError as error:
            _storage_fails(upload, error)


def _content(upload: Upload) -> bytes | None:
    """Return the content of an upload's file; None if it cannot be read."""
    try:
        with upload.file.open("rb") as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError as error:
        queue.fail(upload, "The uploaded file is gone from the storage.", _described(error))
    except OSError as error:
        _storage_fails(upload, error)
    return None


def _storage_fails(upload: Upload, error: OSError) -> None:
    """Release an upload after an error of the storage, without counting the attempt."""
    logger.error("the storage fails for %s, tried again in %d s: %s", upload, PAUSE_SECONDS, error)
    leases.release(upload, after=PAUSE_SECONDS, count_attempt=False, error_detail=_described(error))


def _retry_or_fail(upload: Upload, error: Exception) -> None:
    """After an unexpected error, try the upload again alone; fail it after the last attempt."""
    if upload.attempts < settings.MAX_ATTEMPTS:
        leases.release(upload, after=PAUSE_SECONDS, error_detail=_described(error))
    else:
        queue.fail(
            upload, "The image could not be read because of an internal error.", _described(error)
        )


def _described(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _save(upload: Upload, reading: "Reading", version: ModelVersion) -> None:
    if reading.error:
        queue.fail(upload, str(reading.error), _described(reading.error))
        return
    assert reading.image is not None, "a reading without an error has its image"
    name = upload.preview.storage.save(*_preview(reading.image))
    with transaction.atomic():
        ours = queue.finish(
            upload,
            Status.DONE,
            reading=reading.text[:500],
            confidence=reading.confidence,
            version=version,
            width=reading.width,
            height=reading.height,
            preview=name,
            error="",
            error_detail="",
        )
        if ours:
            _save_digits(upload, reading, version)
    if not ours:
        upload.preview.storage.delete(name)


def _save_digits(upload: Upload, reading: "Reading", version: ModelVersion) -> None:
    rows = []
    for position, read_digit in enumerate(reading.digits):
        x, y, width, height = read_digit.glyph.box
        rows.append(
            Digit(
                upload=upload,
                position=position,
                line=read_digit.glyph.line,
                x=x,
                y=y,
                width=width,
                height=height,
                pixels=read_digit.glyph.pixels.tobytes(),
            )
        )
    Digit.objects.bulk_create(rows)
    Prediction.objects.bulk_create(
        Prediction(
            digit=row,
            version=version,
            value=read_digit.value,
            confidence=read_digit.confidence,
            probabilities=[round(float(p), 6) for p in read_digit.probabilities],
        )
        for row, read_digit in zip(rows, reading.digits, strict=True)
    )


def _preview(image: "Image") -> tuple[str, "ContentFile[bytes]"]:
    """Return the name and content of an upload's preview, a small WebP image."""
    image = image.copy()
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2)
    return preview_path(None, "preview.webp"), ContentFile(buffer.getvalue())
