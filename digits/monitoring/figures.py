"""The state of the system: queues, times, versions, workers, and disk space.

Each part is one query or one call, cheap for any number of uploads.
"""

import os
import shutil
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NotRequired, TypedDict

from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, QuerySet

from digits.models import Activation, Batch, ModelVersion, Rereading, TrainingRun, Upload
from digits.models.batches import BATCH_UNFINISHED, BatchStatus
from digits.models.counting import count_each, first_of_each
from digits.models.training import RunStatus
from digits.models.uploads import Status, Verdict
from digits.monitoring import tallies
from digits.pictures.charts import Bars, bars
from digits.queue import clock, heartbeats, redis

HOURS = 24
COUNTED = 1000  # uploads in an hour
LATEST = 500  # uploads, for which waiting and running times are measured


class Queue(TypedDict):
    """One kind of work: the numbers waiting and running, and how long the oldest has waited."""

    name: str
    waiting: int
    running: int
    oldest: timedelta | None


class Spread(TypedDict):
    """The median of durations, and their 95th percentile; None where there are none."""

    median: timedelta | None
    slow: timedelta | None


class Times(TypedDict):
    """How long the latest uploads waited and ran."""

    count: int
    waited: Spread
    ran: Spread


class VersionFigures(TypedDict):
    """The numbers of uploads that a version read, and that people checked and corrected."""

    number: int
    pk: int
    read: int
    looked_at: int
    corrected: int
    share: float


class Worker(heartbeats.Heartbeat):
    """A worker process; instead_of: the active version, where the process reads with another."""

    seen: datetime
    instead_of: int | None


class RedisState(TypedDict):
    """What Redis holds, or why it is down."""

    ok: bool
    workers: list[Worker]
    wake_ups: NotRequired[int]
    error: NotRequired[str]


class Disk(TypedDict):
    """Sizes in bytes: of the database, of the free space, and of the disk."""

    database: int
    free: int
    total: int


class State(TypedDict):
    """All figures of the dashboard."""

    now: datetime
    hours: Bars
    queues: list[Queue]
    times: Times
    versions: list[VersionFigures]
    redis: RedisState
    training: TrainingRun | None
    disk: Disk


def state() -> State:
    """Return all figures of the dashboard and the admin's index."""
    return {
        "now": clock.now(),
        "hours": bars(uploads_by_hour()),
        "queues": queues(),
        "times": times(),
        "versions": corrected_by_version(),
        "redis": redis_state(),
        "training": TrainingRun.objects.filter(status=RunStatus.RUNNING).first(),
        "disk": disk(),
    }


def uploads_by_hour() -> list[int]:
    """Return the number of uploads in each of the last HOURS hours, the oldest first.

    They are counted up to COUNTED in an hour. Of more, their own numbers tell how many were sent;
    those that were deleted since are among them.
    """
    now = clock.now()
    edges = [now - timedelta(hours=ago) for ago in range(HOURS, -1, -1)]
    prepared = [connection.ops.adapt_datetimefield_value(edge) for edge in edges]
    hour = Upload.objects.filter(created_at__gt=now, created_at__lte=now)
    counts = count_each(hour, list(pairwise(prepared)), COUNTED)
    if max(counts) <= COUNTED:
        return counts
    until = Upload.objects.filter(created_at__lte=now).order_by("-created_at")
    numbers = [number or 0 for number in first_of_each(until, [(edge,) for edge in prepared])]
    sent = [last - first for first, last in pairwise(numbers)]
    return [max(own) if own[0] > COUNTED else own[0] for own in zip(counts, sent, strict=True)]


def queues() -> list[Queue]:
    """Return the queue of each kind of work."""
    held = Q(lease__isnull=False)
    rereadings = Rereading.objects.unfinished()
    batches = Batch.objects.filter(status__in=BATCH_UNFINISHED)
    runs = TrainingRun.objects.unfinished()
    wishes = Activation.objects.filter(status=Activation.Status.QUEUED)
    return [
        _queue("Uploads", Upload.objects.unfinished(), Q(status=Status.RUNNING)),
        _queue("Batches", batches, Q(status=BatchStatus.RUNNING)),
        _queue("Readings again", rereadings, held),
        _queue("Trainings", runs, Q(status=RunStatus.RUNNING)),
        _queue("Activations", wishes, Q(lease_expires_at__isnull=False)),
    ]


def _queue(name: str, rows: QuerySet[Any], running: Q) -> Queue:
    found = rows.aggregate(
        waiting=Count("pk", filter=~running),
        running=Count("pk", filter=running),
        oldest=Min("created_at", filter=~running),
    )
    oldest = found["oldest"]
    return {
        "name": name,
        "waiting": found["waiting"],
        "running": found["running"],
        "oldest": clock.now() - oldest if oldest else None,
    }


def times() -> Times:
    """Return how long the latest finished uploads waited and ran."""
    latest = Upload.objects.filter(
        status=Status.DONE, started_at__isnull=False, finished_at__isnull=False
    )
    rows = latest.order_by("-finished_at").values_list("created_at", "started_at", "finished_at")
    known = [
        (created, started, finished)
        for created, started, finished in rows[:LATEST]
        if started and finished
    ]
    return {
        "count": len(known),
        "waited": _middle_and_slow([started - created for created, started, _ in known]),
        "ran": _middle_and_slow([finished - started for _, started, finished in known]),
    }


def _middle_and_slow(durations: list[timedelta]) -> Spread:
    if not durations:
        return {"median": None, "slow": None}
    ordered = sorted(durations)
    return {
        "median": statistics.median_low(ordered),
        "slow": ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))],
    }


def corrected_by_version() -> list[VersionFigures]:
    """Return the figures of each version that has read uploads, the newest first."""
    counts: Counter[tuple[int, str]] = Counter()
    for (pk, verdict), count in tallies.by_version().items():
        counts[pk, "read"] += count
        counts[pk, "looked_at"] += count if verdict else 0
        counts[pk, "corrected"] += count if verdict == Verdict.CORRECTED else 0
    return [
        {
            "number": number,
            "pk": pk,
            "read": counts[pk, "read"],
            "looked_at": counts[pk, "looked_at"],
            "corrected": counts[pk, "corrected"],
            "share": counts[pk, "corrected"] / counts[pk, "read"],
        }
        for pk, number in ModelVersion.objects.values_list("pk", "number")
        if counts[pk, "read"]
    ]


def redis_state() -> RedisState:
    """Return the live worker processes, and the number of pending wake-ups."""
    try:
        beats = heartbeats.workers()
        client = redis.client()
        wake_ups = sum(client.llen(one.name) for one in current_app.conf.task_queues)
    except redis.RedisError as error:
        return {"ok": False, "error": str(error).rstrip("."), "workers": []}
    version = ModelVersion.active() if beats else None
    active = version.number if version else None
    workers: list[Worker] = [
        {
            **beat,
            "seen": datetime.fromtimestamp(beat["seen_at"], UTC),
            "instead_of": active if beat["version"] not in (None, active) else None,
        }
        for beat in beats
    ]
    return {"ok": True, "workers": workers, "wake_ups": wake_ups}


def disk() -> Disk:
    """Return the size of the database, and the free space of the disk with the files."""
    usage = shutil.disk_usage(settings.DATA_DIR)
    return {"database": _database_bytes(), "free": usage.free, "total": usage.total}


def _database_bytes() -> int:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            row: tuple[int] = cursor.fetchone()
            return row[0]
    path = str(connection.settings_dict["NAME"])
    parts = [path, f"{path}-wal"]
    return sum(os.path.getsize(part) for part in parts if os.path.exists(part))
