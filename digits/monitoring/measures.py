"""What worker processes count and time, added up in Redis for all machines.

A process collects in its memory, and adds what it has to Redis with each of its heartbeats: reading
takes no longer for it. Of a process that is killed, the last seconds are lost; where Redis starts
empty, all begins at 0, which Prometheus takes for a restart.
"""

import logging
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from digits.queue import redis
from worker.reading.spans import Span

logger = logging.getLogger(__name__)
KEY = "digits:measures"
SUM, ENDLESS = "sum", "+Inf"
# Upper bounds of the classes of each histogram.
BOUNDS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "upload_wait_seconds": (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
        "upload_read_seconds": (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
        "upload_batch_size": (1, 2, 4, 8, 16, 32, 64, 128),
    }
)

_collected: Counter[str] = Counter()
_lock = threading.Lock()


def count(name: str, label: str, by: float = 1) -> None:
    """Add to a counter of this process, for one value of its label."""
    with _lock:
        _collected[f"{name};{label}"] += by  # type: ignore[assignment]  # seconds are fractions


def observe(name: str, value: float) -> None:
    """Add a value to a histogram, one of BOUNDS, of this process."""
    bounds = BOUNDS[name]
    place = bisect_left(bounds, value)
    count(name, f"{bounds[place]:g}" if place < len(bounds) else ENDLESS)
    count(name, SUM, value)


class Stages:
    """The time that a piece of work takes in each of its stages, one after another.

    spans: those that have ended.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._since, self._began = time.monotonic(), time.time_ns()

    def ended(self, stage: str) -> float:
        """Count the time since the stage before ended, or since the start; return it."""
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        count("stage_seconds", stage, seconds)
        start, self._began = self._began, time.time_ns()
        self.spans.append(Span(stage, start, self._began))
        return seconds


def flush() -> None:
    """Add what this process has collected to what is in Redis; keep it if Redis is down."""
    with _lock:
        amounts = dict(_collected)
        _collected.clear()
    if not amounts:
        return
    try:
        pipeline = redis.client().pipeline(transaction=False)
        for field, amount in amounts.items():
            pipeline.hincrbyfloat(KEY, field, amount)
        pipeline.execute()
    except redis.RedisError as error:
        logger.debug("nothing could be added to the measures: %s", error)
        with _lock:
            for field, amount in amounts.items():
                _collected[field] += amount


def read() -> dict[str, dict[str, float]]:
    """Return the amounts of all processes, by name and by label.

    Raises:
        RedisError: Redis is down.
    """
    found: dict[str, dict[str, float]] = {}
    for field, amount in redis.client().hgetall(KEY).items():
        name, _, label = str(field).partition(";")
        found.setdefault(name, {})[label] = float(amount)
    return found
