"""The connection to Redis that is not Celery's: wake-up marks, notifications, signs of life."""

from functools import cache

import redis
from django.conf import settings

RedisError = redis.RedisError


@cache
def client() -> redis.Redis:
    """The process's client, shared by its threads. Calls raise RedisError when Redis is down."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=2,
        socket_timeout=5,
        health_check_interval=15,
        decode_responses=True,
    )
