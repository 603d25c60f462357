"""Retention: what is older than RETAIN_UPLOADS_DAYS is deleted by the sweep, with its files."""

import logging
import math
import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from digits.models import Batch, Upload
from digits.models.batches import BATCH_UNFINISHED

logger = logging.getLogger(__name__)
LOOK_SECONDS = 600  # between two looks, unless the last one left something
WORK_SECONDS = 5.0  # a look goes on for so long: other parts of the sweep wait
AT_ONCE = 100  # uploads in one transaction

_look_at = -math.inf


def remove_old_if_due() -> None:
    """Remove what is too old, if this process has not looked for it lately."""
    global _look_at
    if settings.RETAIN_UPLOADS_DAYS and time.monotonic() >= _look_at:
        is_done = remove_old()
        _look_at = time.monotonic() + (LOOK_SECONDS if is_done else 0)


def remove_old(seconds: float = WORK_SECONDS) -> bool:
    """Remove uploads and bulk jobs that ended and were sent more than RETAIN_UPLOADS_DAYS ago.

    Uploads go with their digits, readings and corrections; bulk jobs with their results.

    Args:
        seconds: after which no more is begun.

    Returns:
        Whether all of them are gone.
    """
    deadline = time.monotonic() + seconds
    before = timezone.now() - timedelta(days=settings.RETAIN_UPLOADS_DAYS)
    # Those that wait, however long, are promised to be read.
    uploads = Upload.objects.filter(created_at__lt=before, finished_at__isnull=False)
    batches = Batch.objects.filter(created_at__lt=before).exclude(status__in=BATCH_UNFINISHED)
    removed = jobs = 0
    while time.monotonic() < deadline:
        keys = list(uploads.order_by("created_at").values_list("pk", flat=True)[:AT_ONCE])
        batch = None if keys else batches.order_by("pk").first()
        if keys:
            removed += Upload.objects.filter(pk__in=keys).delete_with_files()
        elif batch:
            batch.delete()
            jobs += 1
        else:
            break
    if removed or jobs:
        days = settings.RETAIN_UPLOADS_DAYS
        logger.info("%d uploads and %d bulk jobs older than %d days deleted", removed, jobs, days)
    return not uploads.exists() and not batches.exists()
