"""The scheduler of `celery beat`."""

import contextlib
from typing import Any

from celery.beat import PersistentScheduler
from celery.utils.time import maybe_make_aware

from digits import signs
from digits.queue import redis, wake_ups


class Scheduler(PersistentScheduler):
    """Orders a sweep unless one waits still: without a worker they would pile up for ever."""

    _marks: signs.Marks | None = None

    def apply_async(self, entry: Any, *args: Any, **options: Any) -> Any:
        with contextlib.suppress(redis.RedisError):
            if wake_ups.is_waiting(entry.task):
                return None
        return super().apply_async(entry, *args, **options)

    def tick(self, *args: Any, **options: Any) -> Any:
        """Send what is due, and tell the supervisor that beat goes on, or waits for Redis."""
        if self._marks is None:
            self._marks = signs.Marks()
            signs.send()
            signs.send_while(self._marks.are_new, lambda: not redis.answers())
        self._forget_the_future()
        seconds = super().tick(*args, **options)
        self._marks.make()
        return seconds

    def _forget_the_future(self) -> None:
        """Let no entry wait until the clock is where it was before somebody set it back."""
        now = maybe_make_aware(self.app.now())
        for entry in self.schedule.values():
            if maybe_make_aware(entry.last_run_at) > now:
                entry.last_run_at = entry.default_now()
                self._heap = None
