"""Rereadings: a chosen version reads uploads again, in classify workers.

As with uploads (digits.uploads.queue), the rows are the queue, and everything may happen twice: a
version has at most one prediction for a digit.
"""

from itertools import islice
from typing import TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from digits.models import Digit, ModelVersion, Rereading, Upload
from digits.models.uploads import Status, UploadQuerySet
from digits.queue import leases, wake_ups

TASK = "digits.read_again"
ASKED_AT_ONCE = 1000


def ask(uploads: UploadQuerySet, version: ModelVersion, user: User | None = None) -> int:
    """Request that a version reads finished uploads again, unless they already wait for it.

    Returns:
        The number of uploads.
    """
    asked = 0
    with transaction.atomic():
        pks = iter(list(uploads.filter(status=Status.DONE).values_list("pk", flat=True)))
        while some := list(islice(pks, ASKED_AT_ONCE)):
            rows = [Rereading(upload_id=pk, version=version, requested_by=user) for pk in some]
            Rereading.objects.bulk_create(rows, ignore_conflicts=True)
            asked += len(some)
        wake_ups.send_after_commit(TASK)
    return asked


def waiting() -> QuerySet[Rereading]:
    """Return the rereadings that may be claimed."""
    return Rereading.objects.unfinished().filter(lease__isnull=True)


def claim(limit: int | None = None) -> list[Rereading]:
    """Claim the oldest under one new lease, up to `limit`, all for one version."""
    return leases.claim(
        waiting().order_by("id"),
        limit or settings.CLASSIFY_BATCH,
        together=lambda first: [row for row in first if row.version_id == first[0].version_id],
        related=("version", "upload"),
    )


def finish(claimed: list[Rereading], error: str = "") -> int:
    """End claimed rereadings whose lease was not lost; return how many."""
    return leases.finish(*claimed, error=error[:500])


def sweep() -> int:
    """Fail rereadings that were tried too often, and wake the workers for waiting ones.

    Returns:
        The number that failed.
    """
    error = f"It failed {settings.MAX_ATTEMPTS} times; the workers' log says why."
    _, failed = leases.sweep(Rereading.objects.unfinished(), lambda row: finish([row], error))
    if waiting().exists():
        wake_ups.send(TASK, force=True)
    return failed


class Standing(TypedDict):
    """The state of an upload's rereadings.

    offered: the versions that have not read all of it and are not pending, the newest first.
    pending: the rereadings that wait or run.
    failed: the last rereading of each offered version, if it failed.
    """

    offered: list[ModelVersion]
    pending: list[Rereading]
    failed: list[Rereading]


def standing(upload: Upload, digits: list[Digit]) -> Standing:
    """Return the state of an upload's rereadings.

    digits: all of the upload's, with their predictions.
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
