"""The connection to Redis for wake-up marks, notifications and heartbeats.

Nobody needs Redis to be answered: rows in the database say what waits. So a Redis that hangs costs
one time-out, and is then left alone for some seconds.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import redis
from django.conf import settings
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

__all__ = ["Client", "PubSub", "RedisError", "answers", "client"]

RedisError = redis.RedisError
ANSWER_SECONDS = 2.0  # Redis answers in less than a millisecond; a slow disk may hold it up
PAUSE_SECONDS = 5.0  # after it did not answer in time
Result = TypeVar("Result")
_hangs_until = 0.0


class _OnceMore(Retry):
    """Tries once more after a lost connection, as after a restart of Redis; notes a time-out."""

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1, (redis.ConnectionError,))

    def call_with_retry(
        self, do: Callable[[], Result], fail: Callable[..., Any], *args: Any, **options: Any
    ) -> Result:
        global _hangs_until
        try:
            return super().call_with_retry(do, fail, *args, **options)
        except (redis.TimeoutError, TimeoutError):
            _hangs_until = time.monotonic() + PAUSE_SECONDS
            raise


def client() -> redis.Redis:
    """Return the client, which threads share. Its methods raise RedisError when Redis is down.

    Raises:
        RedisError: Redis did not answer in time a moment ago.
    """
    if time.monotonic() < _hangs_until:
        raise redis.TimeoutError("Redis did not answer a moment ago")
    return _client()


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=_OnceMore(),
        health_check_interval=15,
        decode_responses=True,
    )


def answers() -> bool:
    """Return whether Redis answers, asked by a connection of its own.

    It takes up to twice ANSWER_SECONDS.
    """
    once = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(once.ping())
    except redis.RedisError:
        return False
    finally:
        once.close()
