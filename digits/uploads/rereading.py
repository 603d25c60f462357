"""Uploads that a chosen version reads again: asked for in rows, worked off by classify workers.

As with uploads (digits.uploads.queue), the rows are the truth, and everything may happen twice: a
version says one thing of a digit, whoever asks how often.
"""

import logging
import uuid
from datetime import timedelta
from itertools import groupby, islice

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from digits.models import Digit, ModelVersion, Prediction, Rereading
from digits.models.uploads import Status
from digits.uploads import queue
from digits.uploads.lines import lines_of

logger = logging.getLogger(__name__)
TASK = "digits.read_again"
ASKED_AT_ONCE = 1000


def ask(uploads, version: ModelVersion, user=None) -> int:
    """Ask that a version reads finished uploads again; who waits for it already, waits once.

    Returns:
        How many uploads that is.
    """
    asked = 0
    with transaction.atomic():
        pks = iter(list(uploads.filter(status=Status.DONE).values_list("pk", flat=True)))
        while some := list(islice(pks, ASKED_AT_ONCE)):
            rows = [Rereading(upload_id=pk, version=version, requested_by=user) for pk in some]
            Rereading.objects.bulk_create(rows, ignore_conflicts=True)
            asked += len(some)
        transaction.on_commit(lambda: queue.wake_up(TASK), robust=True)
    return asked


def waiting():
    """What may be claimed: nobody holds it, or its lease ran out."""
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=timezone.now())
    return Rereading.objects.unfinished().filter(free, attempts__lt=settings.MAX_ATTEMPTS)


def claim(limit: int | None = None) -> list[Rereading]:
    """Claim the oldest under one new lease, up to `limit`, all for one version."""
    lease = uuid.uuid4()
    with transaction.atomic():
        rows = waiting().order_by("id")
        if connection.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        first = rows.first()
        if first is None:
            return []
        chosen = rows.filter(version=first.version_id).values_list("pk", flat=True)
        pks = list(chosen[: limit or settings.CLASSIFY_BATCH])
        Rereading.objects.filter(pk__in=pks).update(
            lease=lease,
            lease_expires_at=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS),
            attempts=F("attempts") + 1,
        )
    claimed = Rereading.objects.filter(lease=lease).select_related("version", "upload")
    return list(claimed.order_by("pk"))


def finish(claimed: list[Rereading], error: str = "") -> int:
    """End what is still under the lease that it was claimed with; returns how many that is."""
    held = Rereading.objects.filter(pk__in=[row.pk for row in claimed], lease=claimed[0].lease)
    ended = timezone.now()
    return held.update(finished_at=ended, lease=None, lease_expires_at=None, error=error[:500])


def read(claimed: list[Rereading], engine):
    """Read the digits of claimed uploads again, and save what the version says of them."""
    from worker.reading.reading import read_again

    version = claimed[0].version
    images, sides = _digits_in_lines(claimed)
    digits = [digit for lines in images for line in lines for digit in line]
    pixels = [[[bytes(digit.pixels) for digit in line] for line in lines] for lines in images]
    said = read_again(engine, pixels, sides)
    rows = [
        Prediction(
            digit=digit,
            version=version,
            value=value,
            confidence=confidence,
            probabilities=[round(float(share), 6) for share in probabilities],
        )
        for digit, (value, confidence, probabilities) in zip(digits, said, strict=True)
    ]
    with transaction.atomic():
        Prediction.objects.bulk_create(rows, ignore_conflicts=True)
        labelled = Prediction.objects.filter(digit__in=digits, digit__label__isnull=False)
        labelled.update(to_review=False)
        finish(claimed)


def _digits_in_lines(claimed: list[Rereading]) -> tuple[list[list[list[Digit]]], list[int]]:
    """Give the digits of each upload that has some, line by line, and the image's longer side."""
    uploads = {row.upload_id: row.upload for row in claimed}
    found = Digit.objects.filter(upload__in=uploads).order_by("upload", "position")
    grouped = groupby(found.with_predictions(), key=lambda digit: digit.upload_id)
    own = [(uploads[pk], lines_of(uploads[pk], list(digits))) for pk, digits in grouped]
    return [lines for _, lines in own], [max(up.width, up.height) for up, _ in own]


def sweep() -> int:
    """Fail what was tried too often, and wake the workers for what waits.

    Returns:
        How many failed.
    """
    tried = Rereading.objects.unfinished().filter(attempts__gte=settings.MAX_ATTEMPTS)
    failed = tried.filter(lease_expires_at__lt=timezone.now()).update(
        finished_at=timezone.now(),
        lease=None,
        lease_expires_at=None,
        error=f"It failed {settings.MAX_ATTEMPTS} times; the workers' log says why.",
    )
    if failed:
        logger.warning("%d uploads could not be read again", failed)
    if waiting().exists():
        queue.wake_up(TASK, force=True)
    return failed


def standing(upload, digits: list[Digit]) -> dict:
    """Tell where reading an upload again stands.

    Args:
        digits: all of the upload's, with their predictions.

    Returns:
        "offered": the versions that have not read all of it and do not wait to, the newest first;
        "pending": the rereadings that wait or run; "failed": the last one of each offered
        version, if it failed.
    """
    read = [{prediction.version_id for prediction in digit.predictions.all()} for digit in digits]
    complete = set.intersection(*read) if read else set()
    last = {}
    for row in upload.rereadings.select_related("version").order_by("id"):
        last[row.version_id] = row
    rows = [row for row in last.values() if row.version_id not in complete]
    pending = [row for row in rows if row.finished_at is None]
    taken = complete | {row.version_id for row in pending}
    return {
        "offered": list(ModelVersion.objects.exclude(pk__in=taken).defer("metrics")),
        "pending": pending,
        "failed": [row for row in rows if row.finished_at and row.error],
    }
