"""The scheduler of `celery beat`."""

import contextlib
from typing import Any

from celery.beat import PersistentScheduler

from digits.queue import redis, wake_ups


class Scheduler(PersistentScheduler):
    """Sends no more sweeps while several wait: without a worker they would pile up for ever."""

    def apply_async(self, entry: Any, *args: Any, **options: Any) -> Any:
        with contextlib.suppress(redis.RedisError):
            if wake_ups.is_backlogged(entry.task):
                return None
        return super().apply_async(entry, *args, **options)
