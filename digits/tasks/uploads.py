"""Uploads in a classify worker: read claimed ones as a batch, and save the readings."""

import logging
import traceback
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, close_old_connections

from digits import tracing
from digits.models import Digit, ModelVersion, Prediction, Upload
from digits.models.uploads import LONGEST_READING, PREVIEW_SIDE, Status, preview_path
from digits.monitoring import measures
from digits.pictures import previews
from digits.queue import clock, keeping, leases, statements
from digits.tasks import serving
from digits.uploads import queue
from worker.reading.spans import noting

if TYPE_CHECKING:
    from PIL.Image import Image

    from worker.reading.engine import Engine
    from worker.reading.reading import Reading

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 10  # before what went wrong is tried again


def work_on_uploads(uploads: list[Upload]) -> None:
    """Read claimed uploads as one batch, and save the readings in one transaction."""
    try:
        engine, version = serving.process.engine_and_version()
    except Exception:
        # It is not the uploads' fault; the sweeper wakes us again.
        leases.release(*uploads, count_attempt=False)
        raise
    stages = measures.Stages()
    with keeping.kept(uploads):
        contents = _contents(uploads)
        stages.ended("fetch")
        try:
            with noting() as parts:
                ended = _read(contents, engine, version, stages)
            tracing.add_reading(ended, stages.spans, parts)
        except OperationalError as error:
            tracing.add_reading(contents, stages.spans, parts, error)
            _database_fails(contents, error)
        except Exception as error:
            tracing.add_reading(contents, stages.spans, parts, error)
            logger.exception("a batch of %d uploads could not be read", len(contents))
            measures.count("errors", "reading", len(contents))
            for upload in contents:
                _retry_or_fail(upload, error)


def _read(
    contents: dict[Upload, bytes],
    engine: "Engine",
    version: ModelVersion,
    stages: measures.Stages,
) -> list[Upload]:
    """Read the contents of uploads, and end them; return those that have ended."""
    from worker.reading.reading import read_images

    started = clock.now()
    turns = [upload.degrees for upload in contents]
    readings = read_images(engine, list(contents.values()), settings.MAX_PIXELS, turns)
    read = dict(zip(contents, readings, strict=True))
    seconds = stages.ended(tracing.READ)
    ended = {}
    for upload, reading in read.items():
        try:
            preview = _preview(reading.image) if reading.image else ""
        except OSError as error:
            _storage_fails(upload, error)
        else:
            ended[upload] = _fields(reading, version, preview)
    digits = _Digits({upload: read[upload] for upload in ended}, version)

    def store(uploads: Collection[Upload]) -> None:
        of_all = len(uploads) == len(ended)
        (digits if of_all else _Digits({one: read[one] for one in uploads}, version)).store()

    uploads = queue.finish_all(ended, store)
    for upload in ended.keys() - set(uploads):
        if name := ended[upload]["preview"]:
            upload.preview.storage.delete(name)
    seconds += stages.ended("save")
    measures.observe("upload_read_seconds", seconds)
    measures.observe("upload_batch_size", len(contents))
    for upload in uploads:
        measures.count("uploads_ended", ended[upload]["status"])
        measures.observe("upload_wait_seconds", (started - upload.created_at).total_seconds())
    return uploads


def _contents(uploads: list[Upload]) -> dict[Upload, bytes]:
    """Return the contents of the uploads' files, without those that cannot be read."""
    storage = uploads[0].file.storage
    small = (
        storage.read_all([one.file.name for one in uploads]) if hasattr(storage, "read_all") else {}
    )
    contents = {}
    for upload in uploads:
        content = small.get(upload.file.name or "")
        content = _content(upload) if content is None else content
        if content is not None:
            contents[upload] = content
    return contents


def _content(upload: Upload) -> bytes | None:
    """Return the content of an upload's file; None if it cannot be read."""
    try:
        with upload.file.open("rb") as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError as error:
        tracing.add_reading([upload], (), error=error)
        _fail(upload, "The uploaded file is gone from the storage.", error)
    except OSError as error:
        _storage_fails(upload, error)
    return None


def _storage_fails(upload: Upload, error: OSError) -> None:
    """Release an upload after an error of the storage, without counting the attempt."""
    measures.count("errors", "storage")
    logger.error("the storage fails for %s, tried again in %d s: %s", upload, PAUSE_SECONDS, error)
    leases.release(upload, after=PAUSE_SECONDS, count_attempt=False, error_detail=_described(error))


def _database_fails(uploads: Collection[Upload], error: OperationalError) -> None:
    """Release uploads after the database was full, busy or gone, without counting the attempt."""
    logger.error(
        "the database fails for %d uploads, tried again in %d s: %s",
        len(uploads),
        PAUSE_SECONDS,
        error,
    )
    measures.count("errors", "database", len(uploads))
    close_old_connections()  # it may be of no use any more
    leases.release(*uploads, after=PAUSE_SECONDS, count_attempt=False)


def _retry_or_fail(upload: Upload, error: Exception) -> None:
    """After an unexpected error, try the upload again alone; fail it after the last attempt."""
    if upload.attempts < settings.MAX_ATTEMPTS:
        leases.release(upload, after=PAUSE_SECONDS, error_detail=_described(error))
    else:
        _fail(upload, "The image could not be read because of an internal error.", error)


def _fail(upload: Upload, why: str, error: Exception) -> None:
    if queue.fail(upload, why, _described(error)):
        measures.count("uploads_ended", Status.FAILED)


def _described(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _fields(reading: "Reading", version: ModelVersion, preview: str) -> dict[str, Any]:
    """Return the fields of an upload that ends with this reading."""
    error = reading.error
    return {
        "status": Status.FAILED if error else Status.DONE,
        "reading": reading.text[:LONGEST_READING],
        "cautions": " ".join(reading.cautions),
        "confidence": reading.confidence,
        "version": None if error else version,
        "width": reading.width or None,
        "height": reading.height or None,
        "preview": preview,
        "error": str(error or "")[:500],
        "error_detail": _described(error) if error else "",
    }


class _Digits:
    """The digits and predictions of readings, prepared to be stored with their uploads."""

    OF_DIGIT = (
        *("upload", "position", "line", "x", "y", "width", "height"),
        *("before", "after", "pixels"),
    )
    OF_PREDICTION = ("digit", "version", "value", "confidence", "probabilities")

    def __init__(self, readings: dict[Upload, "Reading"], version: ModelVersion) -> None:
        digits: list[tuple[Any, ...]] = []
        predictions: list[tuple[Any, ...]] = []
        for upload, reading in readings.items():
            for position, one in enumerate(reading.digits):
                glyph = one.glyph
                place = (upload.pk, position, glyph.line, *glyph.box)
                digits.append((*place, one.before, one.after, glyph.pixels.tobytes()))
                probabilities = [round(p, 6) for p in one.probabilities.tolist()]
                # The key of its digit is known when that is stored.
                predictions.append((None, version.pk, one.value, one.confidence, probabilities))
        self._digits = statements.NewRows(Digit, self.OF_DIGIT, digits)
        self._predictions = statements.NewRows(Prediction, self.OF_PREDICTION, predictions)

    def store(self) -> None:
        self._predictions.put("digit", self._digits.store())
        self._predictions.store()


def _preview(image: "Image") -> str:
    """Store the preview of an upload, a small WebP image; return its name.

    A picture that is no larger than a preview has none: pages show it as it is.
    """
    if max(image.size) <= PREVIEW_SIDE:
        return ""
    name = preview_path(None, "preview.webp")
    return default_storage.save(name, ContentFile(previews.webp(image)))
