"""The scheduler of `celery beat`."""

import contextlib
from typing import Any

from celery.beat import PersistentScheduler

from digits import signs
from digits.queue import redis, wake_ups


class Scheduler(PersistentScheduler):
    """Sends no more sweeps while several wait: without a worker they would pile up for ever."""

    _marks: signs.Marks | None = None

    def apply_async(self, entry: Any, *args: Any, **options: Any) -> Any:
        with contextlib.suppress(redis.RedisError):
            if wake_ups.is_backlogged(entry.task):
                return None
        return super().apply_async(entry, *args, **options)

    def tick(self, *args: Any, **options: Any) -> Any:
        """Send what is due, and tell the supervisor that beat goes on, or waits for Redis."""
        if self._marks is None:
            self._marks = signs.Marks()
            signs.send()
            signs.send_while(self._marks.are_new, lambda: not redis.answers())
        seconds = super().tick(*args, **options)
        self._marks.make()
        return seconds
