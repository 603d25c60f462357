"""Signs of life that worker processes leave in Redis, for the health checks."""

import json
import logging
import os
import socket
import time
from collections.abc import Callable

from digits.queue import redis

logger = logging.getLogger(__name__)
PREFIX = "digits:worker:"
EVERY_SECONDS = 3


def give(describe: Callable[[], dict]):
    """Leave a sign every few seconds, for as long as the process lives."""
    host, pid = socket.gethostname(), os.getpid()
    while True:
        sign = {"host": host, "pid": pid, "seen_at": time.time(), **describe()}
        try:
            redis.client().set(f"{PREFIX}{host}:{pid}", json.dumps(sign), ex=EVERY_SECONDS * 4)
        except redis.RedisError as error:
            logger.debug("no sign of life could be given: %s", error)
        time.sleep(EVERY_SECONDS)


def workers() -> list[dict]:
    """The worker processes that gave a sign of life lately.

    Raises:
        RedisError: Redis is down.
    """
    client = redis.client()
    keys = sorted(client.scan_iter(PREFIX + "*", count=1000))
    signs = [json.loads(sign) for sign in (client.mget(keys) if keys else []) if sign]
    return [sign for sign in signs if not _is_known_dead(sign)]


def _is_known_dead(sign: dict) -> bool:
    """A killed process's sign stays a while; on its own machine one can look."""
    if sign["host"] != socket.gethostname():
        return False
    try:
        os.kill(sign["pid"], 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False
