"""Thin Celery tasks: claim rows, let worker/ read them, save rows."""

import io
import logging
import time
import traceback

from celery import shared_task
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction

from digits.accounts import idempotency
from digits.batches import parts
from digits.learning import runs
from digits.models import Digit, Prediction, Upload
from digits.models.uploads import Status, preview_path
from digits.tasks import activation, batches, serving, training
from digits.uploads import queue, rereading
from digits.versions import activations
from worker.reading.bundle import ModelError

logger = logging.getLogger(__name__)
SLICE_SECONDS = 2  # then another wake-up follows, so that a worker can stop between two
PREVIEW_SIDE = 640
PAUSE_SECONDS = 10  # before what went wrong is tried again
TIME_LIMIT = 300  # a hung process is replaced, and its uploads are read by the next


@shared_task(
    name="digits.classify", acks_late=True, reject_on_worker_lost=True, time_limit=TIME_LIMIT
)
def classify():
    """Read what is queued, batch by batch."""
    queue.wake_up_taken()
    deadline = time.monotonic() + SLICE_SECONDS
    uploads = queue.claim()
    if len(uploads) == settings.CLASSIFY_BATCH:
        queue.wake_up()  # There may be more than one worker can do.
    while uploads:
        read(uploads)
        if time.monotonic() > deadline:
            queue.wake_up()
            return
        uploads = queue.claim()


@shared_task(name="digits.activate", time_limit=TIME_LIMIT)
def activate():
    """Try the versions that shall become active, in the order in which that was asked for."""
    activation.work_off()


@shared_task(name="digits.train")
def train():
    """Work on the training run that waits, in a process of its own."""
    training.work()


@shared_task(name=rereading.TASK, acks_late=True, reject_on_worker_lost=True, time_limit=TIME_LIMIT)
def read_again():
    """Read uploads again with a version that somebody chose: one batch a message, so that new
    uploads come in between."""
    queue.wake_up_taken(rereading.TASK)
    claimed = rereading.claim()
    if claimed:
        _read_again(claimed)
    if rereading.waiting().exists():
        queue.wake_up(rereading.TASK)
    else:
        serving.forget_other()


def _read_again(claimed):
    version = claimed[0].version
    try:
        engine = serving.engine_of(version)
    except ModelError as error:
        logger.error("%s cannot read again: %s", version, error)
        rereading.finish(claimed, str(error))
        return
    rereading.read(claimed, engine)


@shared_task(name=parts.TASK, acks_late=True, reject_on_worker_lost=True, time_limit=TIME_LIMIT)
def read_batches():
    """Read the parts of bulk jobs, one by one; uploads that came meanwhile are read before each."""
    queue.wake_up_taken(parts.TASK)
    deadline = time.monotonic() + SLICE_SECONDS
    part = parts.claim()
    if part and parts.waiting().exists():
        queue.wake_up(parts.TASK)  # There may be more than one worker can do.
    while part:
        batches.work(part)
        if uploads := queue.claim():
            read(uploads)
        if time.monotonic() > deadline:
            break
        part = parts.claim()
    if parts.waiting().exists():
        queue.wake_up(parts.TASK)
    else:
        serving.forget_other()


@shared_task(name="digits.sweep")
def sweep():
    """Give back what is stuck, and wake the workers for what waits."""
    queue.sweep()
    activations.sweep()
    runs.sweep()
    rereading.sweep()
    idempotency.sweep()
    parts.sweep()


def read(uploads: list[Upload]):
    """Read claimed uploads as one batch and save what was found."""
    try:
        engine, version = serving.engine_and_version()
    except Exception:
        queue.give_back(uploads)  # It is not the uploads' fault; the sweeper wakes us again.
        raise
    contents = {upload: content for upload in uploads if (content := _content(upload)) is not None}
    try:
        _read(contents, engine, version)
    except Exception as error:
        logger.exception("a batch of %d uploads could not be read", len(contents))
        for upload in contents:
            _retry_or_fail(upload, error)
    queue.notify(uploads)


def _read(contents: dict[Upload, bytes], engine, version):
    from worker.reading.reading import read_images

    readings = read_images(engine, list(contents.values()), settings.MAX_PIXELS)
    for upload, reading in zip(contents, readings, strict=True):
        try:
            _save(upload, reading, version)
        except OSError as error:
            _storage_fails(upload, error)


def _content(upload: Upload) -> bytes | None:
    """Get an upload's file; None if there is none, or the storage does not give it now."""
    try:
        with upload.file.open("rb") as file:
            return file.read()
    except FileNotFoundError as error:
        _fail(upload, "The uploaded file is gone from the storage.", _described(error))
    except OSError as error:
        _storage_fails(upload, error)
    return None


def _storage_fails(upload: Upload, error: OSError):
    """A full or absent disk is not the upload's fault: it is tried again until there is one."""
    logger.error("the storage fails for %s, tried again in %d s: %s", upload, PAUSE_SECONDS, error)
    queue.retry_later(upload, PAUSE_SECONDS, _described(error), count_attempt=False)


def _retry_or_fail(upload: Upload, error: Exception):
    """After an error that nobody foresaw: try the upload again, alone, and then fail it."""
    if upload.attempts < settings.MAX_ATTEMPTS:
        queue.retry_later(upload, PAUSE_SECONDS, _described(error))
    else:
        _fail(
            upload, "The image could not be read because of an internal error.", _described(error)
        )


def _described(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _save(upload: Upload, reading, version):
    if reading.error:
        _fail(upload, str(reading.error), _described(reading.error))
        return
    name = upload.preview.storage.save(*_preview(reading.image))
    with transaction.atomic():
        upload.status = Status.DONE
        ours = queue.finish(
            upload,
            status=Status.DONE,
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


def _save_digits(upload: Upload, reading, version):
    rows = []
    for position, read_digit in enumerate(reading.digits):
        x, y, width, height = read_digit.glyph.box
        rows.append(
            Digit(
                upload=upload,
                position=position,
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


def _fail(upload: Upload, error: str, detail: str):
    upload.status = Status.FAILED
    queue.finish(upload, status=Status.FAILED, error=error[:500], error_detail=detail)


def _preview(image) -> tuple[str, ContentFile]:
    """Make the small picture that pages show of any upload, whatever format it came in."""
    image = image.copy()
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2)
    return preview_path(None, "preview.webp"), ContentFile(buffer.getvalue())
