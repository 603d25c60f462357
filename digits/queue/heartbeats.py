"""Heartbeats that worker processes, and sweeps, leave in Redis, for the health checks."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypedDict

from digits.queue import redis

logger = logging.getLogger(__name__)
PREFIX = "digits:worker:"
EVERY_SECONDS = 3
SWEPT = "digits:swept"


class State(TypedDict):
    """The state of a worker process: its device, and the number of the version that it reads with;
    None before it has loaded one."""

    device: str
    version: int | None


class Heartbeat(State):
    """The state of a worker process, and when it was alive, in seconds since 1970."""

    host: str
    pid: int
    seen_at: float


def send(
    describe: Callable[[], State], changed: threading.Event, also: Callable[[], object]
) -> None:
    """Send a heartbeat every few seconds while the process lives, and whenever `changed` is set.

    also: called with each of them.
    """
    host, pid = socket.gethostname(), os.getpid()
    while True:
        beat: Heartbeat = {"host": host, "pid": pid, "seen_at": time.time(), **describe()}
        try:
            redis.client().set(f"{PREFIX}{host}:{pid}", json.dumps(beat), ex=EVERY_SECONDS * 4)
        except redis.RedisError as error:
            logger.debug("no heartbeat could be sent: %s", error)
        also()
        changed.wait(EVERY_SECONDS)
        changed.clear()


def workers() -> list[Heartbeat]:
    """Return the heartbeats of live worker processes.

    Raises:
        RedisError: Redis is down.
    """
    client = redis.client()
    keys = sorted(client.scan_iter(PREFIX + "*", count=1000))
    beats: list[Heartbeat] = [
        json.loads(beat) for beat in (client.mget(keys) if keys else []) if beat
    ]
    return [beat for beat in beats if not _is_known_dead(beat)]


def note_sweep() -> None:
    """Note that a sweep ended now, by the clock of Redis."""
    try:
        client = redis.client()
        client.set(SWEPT, _now(client))
    except redis.RedisError as error:
        logger.debug("no sweep could be noted: %s", error)


def seconds_since_sweep() -> float:
    """Return the seconds since a sweep ended, or since this was first asked of an empty Redis.

    Raises:
        RedisError: Redis is down.
    """
    client = redis.client()
    now = _now(client)
    client.set(SWEPT, now, nx=True)
    return max(0.0, now - float(client.get(SWEPT) or now))


def _now(client: redis.Client) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def _is_known_dead(beat: Heartbeat) -> bool:
    """Return whether a process on this machine has ended; its heartbeat stays a while."""
    if beat["host"] != socket.gethostname():
        return False
    try:
        os.kill(beat["pid"], 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False
