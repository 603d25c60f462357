"""Rate limits, counted in Redis for all web processes together."""

import math
import time
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from digits.queue import redis

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Throttle(BaseThrottle):
    """A number of requests per minute, hour, ...: for each account, visitor or address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        user, visitor = request.owner.user, request.owner.visitor
        limit, seconds = settings.API_RATE if user else settings.API_ANONYMOUS_RATE
        who = f"user:{user.pk}" if user else f"visitor:{visitor}" if visitor else ""
        now = time.time()
        self.left = seconds - now % seconds
        key = f"digits:requests:{who or self.get_ident(request)}:{int(now // seconds)}"
        return _count(key, seconds) <= limit

    def wait(self) -> int:
        """Return the whole seconds until the next request is allowed."""
        return max(1, math.ceil(self.left))


def _count(key: str, seconds: int) -> int:
    """Count a request and return the count; 0 without Redis, so that nobody is refused."""
    try:
        with redis.client().pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, seconds)
            count: int = pipeline.execute()[0]
            return count
    except redis.RedisError:
        return 0
