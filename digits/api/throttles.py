"""How often one may ask: counted in Redis, so that all web processes count together."""

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
    """So many requests in each minute, hour, ...: per account, per visitor, or per address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        user, visitor = request.owner.user, request.owner.visitor
        limit, seconds = settings.API_RATE if user else settings.API_ANONYMOUS_RATE
        who = f"user:{user.pk}" if user else f"visitor:{visitor}" if visitor else ""
        now = time.time()
        self.left = seconds - now % seconds
        key = f"digits:requests:{who or self.get_ident(request)}:{int(now // seconds)}"
        return _count(key, seconds) <= limit

    def wait(self) -> int:
        """Whole seconds until one may ask again."""
        return max(1, math.ceil(self.left))


def _count(key: str, seconds: int) -> int:
    """Count a request; without Redis nobody is refused."""
    try:
        with redis.client().pipeline(transaction=False) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, seconds)
            count: int = pipeline.execute()[0]
            return count
    except redis.RedisError:
        return 0
