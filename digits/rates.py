"""Rate limits, counted in Redis for all web processes together."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass

from django.conf import settings

from digits.queue import redis

MOST_KEPT = 10_000  # counters of one process; see _count_here
_here: Counter[str] = Counter()


@dataclass(frozen=True)
class Rate:
    """How often somebody may do something: a number of times in each minute, hour, ...

    name: of what is counted.
    setting: the setting with the number, and the seconds in which it may be reached.
    """

    name: str
    setting: str

    def count(self, who: str) -> int:
        """Count once for somebody. Return the seconds after which it is allowed; 0: it is now."""
        return self._wait(who, 1)

    def look(self, who: str) -> int:
        """Return the same without counting."""
        return self._wait(who, 0)

    def _wait(self, who: str, times: int) -> int:
        most, seconds = getattr(settings, self.setting)
        now = time.time()
        counted = _count(f"digits:{self.name}:{who}:{int(now // seconds)}", times, seconds)
        is_over = counted > most if times else counted >= most
        return max(1, math.ceil(seconds - now % seconds)) if is_over else 0


# Requests of the API, and forms of the site that change something.
BY_ACCOUNT = Rate("requests", "API_RATE")
BY_ADDRESS = Rate("requests", "API_ANONYMOUS_RATE")
FORMS = Rate("forms", "FORM_RATE")
SIGN_UPS = Rate("sign-ups", "SIGN_UP_RATE")
WRONG_PASSWORDS = Rate("wrong-passwords", "WRONG_PASSWORD_RATE")
WRONG_CODES = Rate("wrong-codes", "WRONG_CODE_RATE")


def _count(key: str, times: int, seconds: int) -> int:
    try:
        with redis.client().pipeline(transaction=False) as pipeline:
            pipeline.incrby(key, times)
            pipeline.expire(key, seconds)
            counted: int = pipeline.execute()[0]
            return counted
    except redis.RedisError:
        return _count_here(key, times)


def _count_here(key: str, times: int) -> int:
    """Count in this process, while there is no Redis."""
    if len(_here) > MOST_KEPT:
        _here.clear()
    _here[key] += times
    return _here[key]
