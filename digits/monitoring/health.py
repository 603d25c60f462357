"""Health checks of all parts that reading needs: whether they make progress, not only answer."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypedDict

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Max, Min

from digits.models import ModelVersion, Upload
from digits.models.uploads import Status
from digits.queue import clock, heartbeats, redis

STUCK_SECONDS = 60
LATE_SECONDS = 10  # beyond three sweeps, after which a lease that ran out is still there


class Figures(TypedDict, total=False):
    """The figures of a part that works, or the error of one that does not."""

    queued: int
    oldest_queued_seconds: float | None
    milliseconds: float
    processes: list[heartbeats.Heartbeat]
    last_finished_seconds: float | None
    version: int
    sha256: str
    error: str


class Part(Figures):
    """The result of checking one part."""

    ok: bool


class Health(TypedDict):
    """The results of all parts: whether the site is ready to read, or which parts fail."""

    ready: bool
    failing: list[str]
    database: Part
    redis: Part
    worker: Part
    model: Part


def check() -> Health:
    """Check database, Redis, worker and active version."""
    database = _part(_database, DatabaseError)
    redis_part = _part(_redis, redis.RedisError)
    worker = _part(_worker, redis.RedisError, DatabaseError, NotWell)
    model = _part(_model, DatabaseError, NotWell)
    parts = {"database": database, "redis": redis_part, "worker": worker, "model": model}
    failing = [name for name, part in parts.items() if not part["ok"]]
    return {
        "ready": not failing,
        "failing": failing,
        "database": database,
        "redis": redis_part,
        "worker": worker,
        "model": model,
    }


class NotWell(Exception):
    """A part answers, but does not work."""


def _part(look: Callable[[], Figures], *errors: type[Exception]) -> Part:
    try:
        return {"ok": True, **look()}
    except errors as error:
        return {"ok": False, "error": str(error)}


def _database() -> Figures:
    oldest = Upload.objects.in_state(Status.QUEUED).aggregate(oldest=Min("created_at"))
    return {
        "queued": Upload.objects.in_state(Status.QUEUED).count(),
        "oldest_queued_seconds": _age(oldest["oldest"]),
    }


def _redis() -> Figures:
    started = time.monotonic()
    redis.client().ping()
    return {"milliseconds": round((time.monotonic() - started) * 1000, 1)}


def _worker() -> Figures:
    """Check that a process has a model, and that uploads are finished if some are waiting."""
    processes = [sign for sign in heartbeats.workers() if sign["version"] is not None]
    if not processes:
        raise NotWell("no worker process has loaded a model")
    swept = heartbeats.seconds_since_sweep()
    if swept > 3 * settings.SWEEP_SECONDS + LATE_SECONDS:
        raise NotWell(f"nothing was swept for {swept:.0f} s: look at beat and the train worker")
    # Those that are being read wait, too: their worker may hang.
    unfinished = Upload.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
    waiting = unfinished.exclude(status=Status.DONE).aggregate(oldest=Min("created_at"))
    finished = Upload.objects.filter(finished_at__isnull=False).aggregate(last=Max("finished_at"))
    since = clock.now() - timedelta(seconds=3 * settings.SWEEP_SECONDS + LATE_SECONDS)
    if Upload.objects.in_state(Status.RUNNING).filter(lease_expires_at__lt=since).exists():
        raise NotWell("an upload's worker died, and no sweep has freed the upload: look at beat")
    oldest, last = _age(waiting["oldest"]), _age(finished["last"])
    if oldest is not None and oldest > STUCK_SECONDS and (last is None or last > STUCK_SECONDS):
        raise NotWell(f"no upload was finished lately, and one has been waiting for {oldest:.0f} s")
    return {"processes": processes, "last_finished_seconds": last}


def _model() -> Figures:
    version = ModelVersion.active()
    if version is None:
        raise NotWell("no model version is active")
    return {"version": version.number, "sha256": version.sha256}


def _age(moment: datetime | None) -> float | None:
    return None if moment is None else round((clock.now() - moment).total_seconds(), 1)
