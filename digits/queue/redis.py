"""The connection to Redis for wake-up marks, notifications and heartbeats."""

from functools import cache

import redis
from django.conf import settings
from redis.client import PubSub

__all__ = ["PubSub", "RedisError", "client"]

RedisError = redis.RedisError


@cache
def client() -> redis.Redis:
    """Return the client, which threads share. Its methods raise RedisError when Redis is down."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=2,
        socket_timeout=5,
        health_check_interval=15,
        decode_responses=True,
    )
