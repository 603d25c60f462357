"""Connections of the web server: how many there may be, and how long each may take.

uvicorn has no bound on the time that a request's headers take, on their size, or on the connections
of one address, so that one client with a thousand half-sent requests would stop a site.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from typing import Any

import uvicorn
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from digits import addresses

SOCKET = "DIGITS_SOCKET"  # names the open file of the web server's socket
MOST_HEADER_BYTES = 64 * 1024  # of one request; browsers and proxies send a few kilobytes
GRACE_SECONDS = 1.0  # for the first request of a connection, when the server ends
TICKS = 10  # of uvicorn's clock, one second
REFUSED = (
    b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Retry-After: 10\r\nConnection: close\r\n\r\n%s"
)


class Connection(HttpToolsProtocol):
    """A connection that is closed if its client is too slow, or has too many others.

    since: when it began to wait for the headers of a request; None while it does not.
    blocked_since: when the client stopped to take what is sent to it; None while it does.
    """

    of_address: Counter[str] = Counter()

    since: float | None = None
    blocked_since: float | None = None
    _header_bytes = 0
    _is_ending = False
    _address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        address = self.client[0] if self.client else ""
        # All that comes through a proxy has its address.
        self._address = "" if addresses.is_proxy(address) else addresses.network_of(address)
        if self._address:
            self.of_address[self._address] += 1
            if self.of_address[self._address] > settings.MAX_CONNECTIONS_OF_ADDRESS:
                self.refuse(503, b"Service Unavailable", b"Too many connections.\n")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._address:
            self.of_address[self._address] -= 1
            if not self.of_address[self._address]:
                del self.of_address[self._address]

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.since, self._header_bytes = self.loop.time(), 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.refuse(431, b"Request Header Fields Too Large", b"The headers are too large.\n")

    def on_headers_complete(self) -> None:
        self.since = None
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.blocked_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.blocked_since = None

    def shutdown(self) -> None:
        """End when the server does; a client that has just come may still send its request."""
        if self.cycle is None and not self._is_ending:
            self._is_ending = True
            self.loop.call_later(GRACE_SECONDS, self.shutdown)
        elif not self.transport.is_closing():
            super().shutdown()

    def refuse(self, status: int, phrase: bytes, reason: bytes) -> None:
        """Answer with an error, and close the connection."""
        self.transport.write(REFUSED % (status, phrase, len(reason), reason))
        self.transport.close()

    def end_if_too_slow(self, now: float) -> None:
        """Close the connection if its client has not done what it is to do in time."""
        if self.transport.is_closing():
            return
        if self.since is not None and now - self.since > settings.HEADER_SECONDS:
            self.refuse(408, b"Request Timeout", b"The request did not come.\n")
        elif self.blocked_since is not None and now - self.blocked_since > settings.BODY_SECONDS:
            self.transport.abort()


def inherited() -> list[socket.socket] | None:
    """Return the socket that `manage.py up` keeps for this process; None where it has none."""
    number = os.environ.get(SOCKET)
    return [socket.socket(fileno=int(number))] if number else None


class Server(uvicorn.Server):
    """A server that looks after its connections once a second."""

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.end_if_too_slow(now)
        return await super().on_tick(counter)


def config(application: Any, **options: Any) -> uvicorn.Config:
    """Return uvicorn's settings for these connections."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=Connection,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # Django takes the scheme, and the address is the proxy's
        limit_concurrency=settings.MAX_CONNECTIONS,
        **options,
    )
