"""The queue of uploads: it consists of their rows; a Celery message is only a wake-up.

Uploads are claimed, finished and released under leases: see digits.queue.leases.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Max, QuerySet

from digits import quotas
from digits.models import Upload
from digits.models.uploads import Status
from digits.queue import clock, leases, notifications, wake_ups
from digits.quotas import NotTaken

logger = logging.getLogger(__name__)
TASK = "digits.classify"
ANSWER = ("status", "reading", "error")  # what those who wait for an upload want to know
COUNT_SECONDS = 1.0  # between two counts of what waits
FINISHED = "digits:finished"  # the channel for uploads that have ended: see `finished`


class Claimed(list[Upload]):
    """Uploads that were claimed under one lease.

    has_large: whether large ones are known to wait.
    """

    has_large = False


def claim(limit: int | None = None) -> Claimed:
    """Claim up to `limit` queued uploads under one new lease, those tried before first.

    One that was tried before is claimed alone: if it is the one that kills the worker, it does not
    take others with it. So is a large one, and only where no small one waits, so that these need
    not wait for several.
    """
    claimed = Claimed(_claim(_queued, limit or settings.CLASSIFY_BATCH))
    if len(claimed) < 2 or not any(one.attempts > 1 or one.is_large for one in claimed):
        return claimed
    kept = Claimed(one for one in claimed if not one.is_large)
    if not kept or any(one.attempts > 1 for one in kept):
        kept[:] = [min(kept or claimed, key=lambda one: (-one.attempts, one.turn, one.pk))]
    others = [one for one in claimed if one not in kept]
    kept.has_large = any(one.is_large for one in others)
    leases.release(*others, count_attempt=False, started_at=None)
    return kept


def claim_large() -> list[Upload]:
    """Claim one large upload, although small ones may be waiting."""
    return _claim(_queued_large, 1)


def _claim(rows: Callable[[], QuerySet[Upload]], limit: int) -> list[Upload]:
    loaded = ("file", "is_large", "turn", "degrees", "created_at", "trace")
    return leases.claim_at_once(rows, limit, loaded, started_at=clock.now())


def _queued() -> QuerySet[Upload]:
    """Return the queued uploads in the order of claiming."""
    queued = Upload.objects.filter(status=Status.QUEUED)
    return queued.order_by("is_large", "-attempts", "turn", "id")


def _queued_large() -> QuerySet[Upload]:
    """Return the queued uploads that are large, in the order of claiming."""
    return _queued().filter(is_large=True)


def count(most: int) -> int:
    """Count the queued uploads, up to so many, which is at least one."""
    statement, params = _first_queued(most)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({statement}) first", params)  # noqa: S608 # Django's own
        counted: int = cursor.fetchone()[0]
        return counted


@cache
def _first_queued(most: int) -> tuple[str, tuple[Any, ...]]:
    """Return the statement for the keys of so many queued uploads, and its parameters."""
    queued = Upload.objects.in_state(Status.QUEUED).order_by()
    return queued.values("pk")[:most].query.sql_with_params()


class QueueFull(NotTaken):
    """So many uploads are waiting that no more are taken."""

    def __init__(self) -> None:
        super().__init__("Too many images are waiting to be read. Try again in a moment.")


class _Room:
    """Whether the queue has room: counted at most once a second, as that takes a while."""

    def __init__(self) -> None:
        self._known_until = 0.0
        self._is_full = False

    @property
    def is_known(self) -> bool:
        """Whether it was counted a moment ago."""
        return time.monotonic() < self._known_until

    def count(self) -> None:
        """Count what waits, and see to it that senders with too much of it are refused."""
        self._known_until = time.monotonic() + COUNT_SECONDS
        counted = count(settings.MAX_QUEUED)
        self._is_full = counted >= settings.MAX_QUEUED
        bounds = [quota["waiting"] for quota in (settings.QUOTA, settings.QUOTA_ANONYMOUS)]
        if counted > min((one for one in bounds if one), default=counted):
            _refuse_senders(counted)

    def check(self) -> None:
        """Count if that was long ago, and raise QueueFull where MAX_QUEUED uploads wait."""
        if not self.is_known:
            self.count()
        self.refuse_if_full()

    def refuse_if_full(self) -> None:
        """Raise QueueFull where MAX_QUEUED uploads waited when they were last counted."""
        if self._is_full:
            raise QueueFull


def _refuse_senders(most: int) -> None:
    """Have those refused for a moment of whose uploads more wait than their quota allows."""
    queued = Upload.objects.in_state(Status.QUEUED).exclude(sender="").order_by()
    for sender, waiting in queued.values_list("sender").annotate(Count("pk"))[:most]:
        if 0 < quotas.bounds_of(sender)["waiting"] < waiting:
            reason = f"Too many of your images are waiting to be read ({waiting:,})."
            quotas.note(sender, NotTaken(f"{reason} Try again in a moment."))


room = _Room()


def give_turns(uploads: Sequence[Upload]) -> None:
    """Give new uploads their turns, within the transaction that stores them.

    A sender who has none waiting comes next; each other upload comes after the sender's last.

    Source: Goyal, Vin and Cheng, "Start-time fair queueing" (1996), with every upload as long.
    """
    last: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(*_first_turn())
        first = (cursor.fetchone() or [None])[0]
        if first is not None:
            senders = {upload.sender for upload in uploads}
            statement, (*_, status) = _last_turns(len(senders))
            cursor.execute(statement, [*senders, status])
            last = dict(cursor.fetchall())
    for upload in uploads:
        after = last.get(upload.sender, -1) if upload.sender else -1
        upload.turn = last[upload.sender] = max(first or 0, after + 1)


@cache
def _first_turn() -> tuple[str, tuple[Any, ...]]:
    """Return the statement for the turn that is read next, and its parameters."""
    return _queued().values("turn")[:1].query.sql_with_params()


@cache
def _last_turns(count: int) -> tuple[str, tuple[Any, ...]]:
    """Return the statement for the last turns of so many senders, and its parameters: their names
    and, last, the status."""
    queued = Upload.objects.filter(sender__in=map(str, range(count))).filter(status=Status.QUEUED)
    by_sender = queued.order_by().values("sender").annotate(last=Max("turn"))
    return by_sender.values_list("sender", "last").query.sql_with_params()


def finish(upload: Upload, status: str, **fields: Any) -> bool:
    """End a claimed upload, as finish_all. Return False if its lease was lost to another worker."""
    return bool(finish_all({upload: {"status": status, **fields}}))


def finish_all(
    ended: Mapping[Upload, Mapping[str, Any]],
    save: Callable[[Collection[Upload]], object] = len,
) -> list[Upload]:
    """End claimed uploads of one claim in one transaction.

    `finished` is called after the commit.

    Args:
        ended: the fields of each upload, "status" among them; all have the same names.
        save: called with the ended ones within the transaction, to store what belongs to them.

    Returns:
        Those that were ended. For others the lease was lost to another worker.
    """
    finishing = leases.Finishing({one: {**fields, "sender": ""} for one, fields in ended.items()})
    with transaction.atomic():
        uploads = finishing.finish()
        if uploads:
            save(uploads)
            transaction.on_commit(
                partial(finished, {one: ended[one] for one in uploads}), robust=True
            )
    return uploads


def finished(ended: Mapping[Upload, Mapping[str, Any]]) -> None:
    """Notify those who wait for uploads that have ended as done or failed.

    Each is told as its primary key and what the fields ANSWER are now.
    """
    told = [[one.pk, *(fields.get(name, "") for name in ANSWER)] for one, fields in ended.items()]
    notifications.publish(FINISHED, told)


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
    freed, given_up = leases.sweep(Upload.objects.in_state(Status.RUNNING), _give_up)
    if Upload.objects.in_state(Status.QUEUED).exists():
        wake_ups.send(TASK, force=True)
    return freed + given_up


def _give_up(upload: Upload) -> None:
    fail(
        upload,
        f"The image could not be read: the worker stopped {upload.attempts} times"
        " while reading it.",
        "The lease ran out on the last attempt; the worker was killed or hung.",
    )
