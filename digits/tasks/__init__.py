"""Thin Celery tasks: claim rows, let worker/ read them, save rows. For worker processes only."""

import logging
import time

from celery import shared_task
from django.conf import settings

from digits import quotas
from digits.accounts import idempotency, tokens
from digits.audit import trail
from digits.batches import parts
from digits.learning import runs
from digits.monitoring import tallies
from digits.queue import heartbeats, wake_ups
from digits.tasks import helpers, serving
from digits.tasks.activation import work_on_activations
from digits.tasks.batches import close_files, work_on_part
from digits.tasks.rereading import work_on_rereadings
from digits.tasks.training import work_on_run
from digits.tasks.uploads import work_on_uploads
from digits.uploads import queue, rereading, retention
from digits.uploads.pace import Pace
from digits.versions import activations

logger = logging.getLogger(__name__)
SLICE_SECONDS = 1  # then another wake-up follows: a worker can stop, or an activation come, between
LARGE_SECONDS = 1  # between two large uploads while many small ones come
UPLOADS_SECONDS = 1  # then a bulk job goes on, though uploads wait still
LINGER_SECONDS = 0.3  # a worker waits so long for the next upload before it ends its task
TIME_LIMIT = 300  # a hung process is replaced, and its uploads are read by the next
SWEPT = (
    queue.sweep,
    activations.sweep,
    runs.sweep,
    rereading.sweep,
    idempotency.sweep,
    tokens.sweep,
    parts.sweep,
    quotas.sweep,
    tallies.settle_if_due,
    trail.remove_old_if_due,
    retention.remove_old_if_due,
)
# A message that a killed worker had taken is sent again.
READING = {"acks_late": True, "reject_on_worker_lost": True, "time_limit": TIME_LIMIT}


@shared_task(name=queue.TASK, **READING)
def classify() -> None:
    """Read the queued uploads batch by batch, and wait a moment for more."""
    wake_ups.received(queue.TASK)
    activate_first()
    deadline = time.monotonic() + SLICE_SECONDS
    with wake_ups.Listening(queue.TASK) as more:
        pace, finished, is_woken, last_large = Pace(), 0, True, time.monotonic()
        while is_woken and time.monotonic() < deadline:
            uploads = pace.claim(finished)
            if pace.left >= settings.CLASSIFY_BATCH:
                wake_ups.send(queue.TASK, others=True)
            if uploads:
                work_on_uploads(uploads)
            # Among many small ones, large ones are not seen. Two large ones are not read in a row:
            # a small one may have come meanwhile.
            has_large = any(one.is_large for one in uploads)
            if not has_large and (
                uploads.has_large or time.monotonic() - last_large > LARGE_SECONDS
            ):
                has_large = True
                if large := queue.claim_large():
                    work_on_uploads(large)
            if has_large:
                last_large = time.monotonic()
            # One that was tried before, or is large, comes alone; all else with another wake-up.
            is_alone = has_large or any(one.attempts > 1 for one in uploads)
            finished, is_woken = len(uploads), pace.left > 0 or is_alone or more.wait(0)
            if not is_woken:
                left = min(LINGER_SECONDS, deadline - time.monotonic())
                finished, is_woken = 0, more.wait(left)
    # A last look, since nobody listens: from now on a message is sent.
    uploads = queue.claim()
    if uploads:
        wake_ups.send(queue.TASK)
        work_on_uploads(uploads)


@shared_task(name=activations.TASK, time_limit=TIME_LIMIT)
def activate() -> None:
    """Try the versions that are to become active, in the order of the requests."""
    work_on_activations()


def activate_first() -> None:
    """Try the versions that are to become active now: their message may wait behind others."""
    if activations.are_waiting():
        work_on_activations()


@shared_task(name=runs.TASK)
def train() -> None:
    """Train the queued run in a process of its own."""
    work_on_run()


@shared_task(name=rereading.TASK, **READING)
def read_again() -> None:
    """Read uploads again with a version that somebody chose.

    One message reads one batch, so that new uploads are read in between.
    """
    wake_ups.received(rereading.TASK)
    if claimed := rereading.claim():
        work_on_rereadings(claimed)
    if rereading.waiting().exists():
        wake_ups.send(rereading.TASK)
    else:
        serving.process.forget_other()


@shared_task(name=parts.TASK, **READING)
def read_batches() -> None:
    """Read the parts of bulk jobs one by one; new uploads are read between their rows."""
    wake_ups.received(parts.TASK)
    activate_first()
    deadline = time.monotonic() + SLICE_SECONDS
    part = parts.claim()
    if part and parts.waiting().exists():
        wake_ups.send(parts.TASK)  # There may be more than one worker can do.
        helpers.start_if_worthwhile()
    with wake_ups.Listening(queue.TASK) as uploads:

        def between() -> None:
            if uploads.wait(0) or not uploads.is_listening:
                read_uploads()

        read_uploads()
        while part:
            work_on_part(part, between)
            part = parts.claim() if time.monotonic() < deadline else None
    read_uploads()  # one may have come with the last wake-up
    if parts.waiting().exists():
        wake_ups.send(parts.TASK)
    else:
        close_files()
        serving.process.forget_other()


def read_uploads() -> None:
    """Read the uploads that are queued now, for UPLOADS_SECONDS and the batch under way.

    Where there are more, another message reads on. An error is theirs alone, and is logged.
    """
    deadline = time.monotonic() + UPLOADS_SECONDS
    try:
        while uploads := queue.claim():
            work_on_uploads(uploads)
            if time.monotonic() > deadline:
                wake_ups.send(queue.TASK, others=True)
                return
    except Exception:
        logger.exception("uploads could not be read")


@shared_task(name="digits.sweep")
def sweep() -> None:
    """Free stuck rows, wake the workers for waiting ones, and keep the tallies up to date.

    A part that fails does not stop the others.
    """
    for part in SWEPT:
        try:
            part()
        except Exception:
            logger.exception("a part of the sweep failed: %s.%s", part.__module__, part.__name__)
    heartbeats.note_sweep()
