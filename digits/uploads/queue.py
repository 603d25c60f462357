"""The queue of uploads: their rows are the truth, a Celery message is only a wake-up.

A worker claims rows under a lease, reads them, and finishes them by their lease; whoever lost the
lease changes nothing. So everything here may happen twice, and is then harmless.
"""

import logging
import time
import uuid
from datetime import timedelta

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from digits.models import Upload
from digits.models.uploads import Status
from digits.queue import redis

logger = logging.getLogger(__name__)
CLASSIFY = "digits.classify"
PENDING = "digits:wake-up-pending"
PENDING_SECONDS = 5
SLICE_SECONDS = 1.0


def wake_up_after_commit():
    transaction.on_commit(wake_up, robust=True)


def wake_up(task: str = CLASSIFY, *, force: bool = False, **options) -> bool:
    """Tell the workers that rows are waiting; one pending wake-up of a task serves all rows.

    Args:
        task: the name of the Celery task that looks for such rows.
        force: send one even where one is pending.
        options: Celery's own, for the message.

    Returns:
        False: Redis is down. The rows stay queued, and the sweeper tells the workers later.
    """
    try:
        if redis.client().set(_pending(task), 1, nx=not force, ex=PENDING_SECONDS):
            current_app.send_task(task, retry=False, **options)
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("Redis is down, %s waits in the database: %s", task, error)
        return False
    return True


def wake_up_taken(task: str = CLASSIFY):
    """A worker begins to claim: what is queued from here on needs a wake-up of its own."""
    try:
        redis.client().delete(_pending(task))
    except redis.RedisError as error:
        logger.warning("cannot clear the pending wake-up: %s", error)


def _pending(task: str) -> str:
    return f"{PENDING}:{task}"


def claim(limit: int | None = None) -> list[Upload]:
    """Claim up to `limit` queued uploads under one new lease.

    One that was tried before is claimed alone: if it is the one that kills the worker, it does not
    take others with it.
    """
    lease = uuid.uuid4()
    now = timezone.now()
    with transaction.atomic():
        queued = Upload.objects.filter(status=Status.QUEUED).order_by("-attempts", "id")
        if connection.features.has_select_for_update_skip_locked:
            queued = queued.select_for_update(skip_locked=True)
        rows = list(queued.values_list("pk", "attempts")[: limit or settings.CLASSIFY_BATCH])
        if not rows:
            return []
        chosen = rows[:1] if rows[0][1] else rows
        Upload.objects.filter(pk__in=[pk for pk, _ in chosen], status=Status.QUEUED).update(
            status=Status.RUNNING,
            lease=lease,
            lease_expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
            attempts=F("attempts") + 1,
            started_at=now,
        )
    return list(Upload.objects.filter(lease=lease).order_by("pk"))


def finish(upload: Upload, **fields) -> bool:
    """End a claimed upload in one UPDATE. False: its lease was lost to another worker."""
    ended = _held(upload).update(
        lease=None, lease_expires_at=None, finished_at=timezone.now(), **fields
    )
    return ended == 1


def give_back(uploads: list[Upload]):
    """Queue claimed uploads again, as if they had not been claimed."""
    for upload in uploads:
        _held(upload).update(
            status=Status.QUEUED, lease=None, lease_expires_at=None, attempts=upload.attempts - 1
        )


def retry_later(upload: Upload, seconds: float, detail: str, *, count_attempt: bool = True):
    """Let the sweeper queue a claimed upload again, once its lease is over in so many seconds."""
    _held(upload).update(
        lease_expires_at=timezone.now() + timedelta(seconds=seconds),
        attempts=upload.attempts if count_attempt else upload.attempts - 1,
        error_detail=detail,
    )


def _held(upload: Upload):
    """The upload's row, while it is under the lease that it was claimed with."""
    return Upload.objects.filter(pk=upload.pk, status=Status.RUNNING, lease=upload.lease)


def sweep() -> int:
    """Give back what is stuck, and wake the workers for what waits.

    Returns:
        How many uploads' leases had run out.
    """
    now = timezone.now()
    stuck = Upload.objects.filter(status=Status.RUNNING, lease_expires_at__lt=now)
    failed = stuck.filter(attempts__gte=settings.MAX_ATTEMPTS).update(
        status=Status.FAILED,
        error=f"The image could not be read: the worker stopped {settings.MAX_ATTEMPTS} times"
        " while reading it.",
        error_detail="The lease ran out on the last attempt; the worker was killed or hung.",
        lease=None,
        lease_expires_at=None,
        finished_at=now,
    )
    again = stuck.update(status=Status.QUEUED, lease=None, lease_expires_at=None)
    if failed or again:
        logger.warning(
            "%d uploads stuck: %d queued again, %d failed", failed + again, again, failed
        )
    if Upload.objects.filter(status=Status.QUEUED).exists():
        wake_up(force=True)
    return failed + again


def notify(uploads):
    """Tell those who wait that these uploads are finished."""
    try:
        with redis.client().pipeline(transaction=False) as pipeline:
            for upload in uploads:
                pipeline.publish(channel(upload.pk), upload.status)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("cannot notify, the waiting poll the database: %s", error)


def channel(pk: int) -> str:
    return f"digits:upload:{pk}"


def wait_for(pk: int, seconds: float) -> bool:
    """Wait until an upload is finished; False if it is not by then.

    Redis tells at once; the database is asked each second besides, and more often without Redis.
    """
    deadline = time.monotonic() + seconds
    unfinished = Upload.objects.filter(pk=pk).unfinished()
    if not unfinished.exists():
        return True
    pubsub = None
    try:
        pubsub = redis.client().pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(channel(pk))
        pubsub.get_message(timeout=1)  # the subscription's own answer
    except redis.RedisError:
        pubsub = _closed(pubsub)
    try:
        while unfinished.exists():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if pubsub is None:
                time.sleep(min(0.2, left))
                continue
            try:
                pubsub.get_message(timeout=min(SLICE_SECONDS, left))
            except redis.RedisError:
                pubsub = _closed(pubsub)
        return True
    finally:
        _closed(pubsub)


def _closed(pubsub):
    if pubsub is not None:
        pubsub.close()
