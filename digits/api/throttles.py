"""Rate limits of the API."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from digits import rates

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Throttle(BaseThrottle):
    """A number of requests per minute, hour, ...: for each account, or for each address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rate = rates.BY_ACCOUNT if request.owner.user else rates.BY_ADDRESS
        self._seconds = rate.count(request.owner.sender)
        return not self._seconds

    def wait(self) -> int:
        """Return the whole seconds until the next request is allowed."""
        return self._seconds
