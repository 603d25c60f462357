"""The queue of uploads: it consists of their rows; a Celery message is only a wake-up.

Uploads are claimed, finished and released under leases: see digits.queue.leases.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from digits.models import Upload
from digits.models.uploads import Status
from digits.queue import leases, notifications, wake_ups

logger = logging.getLogger(__name__)
TASK = "digits.classify"


def claim(limit: int | None = None) -> list[Upload]:
    """Claim up to `limit` queued uploads under one new lease, those tried before first.

    One that was tried before is claimed alone: if it is the one that kills the worker, it does not
    take others with it.
    """
    queued = Upload.objects.filter(status=Status.QUEUED).order_by("-attempts", "id")
    limit = limit or settings.CLASSIFY_BATCH
    return leases.claim(queued, limit, together=_together, started_at=timezone.now())


def _together(first: Sequence[Upload]) -> Sequence[Upload]:
    return first[:1] if first[0].attempts else first


def finish(upload: Upload, status: str, **fields: Any) -> bool:
    """End a claimed upload. Return False if its lease was lost to another worker.

    `finished` is called after the commit.
    """
    with transaction.atomic():
        ended = leases.finish(upload, status=status, **fields) == 1
        if ended:
            upload.status = status
            transaction.on_commit(partial(finished, upload), robust=True)
    return ended


def finished(upload: Upload) -> None:
    """Notify those who wait for an upload that has ended as done or failed."""
    notifications.publish({channel(upload.pk): upload.status})


def fail(upload: Upload, error: str, detail: str) -> bool:
    """End a claimed upload that cannot be read. Return False if its lease was lost.

    error: the reason, for people who sent it; detail: for those who look after the site.
    """
    return finish(upload, Status.FAILED, error=error[:500], error_detail=detail)


def sweep() -> int:
    """Free stuck uploads or fail them, and wake the workers for queued ones.

    Returns:
        The number of uploads whose leases had run out.
    """
    freed, given_up = leases.sweep(Upload.objects.filter(status=Status.RUNNING), _give_up)
    if Upload.objects.filter(status=Status.QUEUED).exists():
        wake_ups.send(TASK, force=True)
    return freed + given_up


def _give_up(upload: Upload) -> None:
    fail(
        upload,
        f"The image could not be read: the worker stopped {upload.attempts} times"
        " while reading it.",
        "The lease ran out on the last attempt; the worker was killed or hung.",
    )


def channel(pk: int) -> str:
    """Return the name of the channel for notifications of an upload's end."""
    return f"digits:upload:{pk}"
