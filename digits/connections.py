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

from digits import addresses, signs

SOCKET = "DIGITS_SOCKET"  # names the open file of the web server's socket
MOST_HEADER_BYTES = 64 * 1024  # of one request; browsers and proxies send a few kilobytes
STOP_SECONDS = 32.0  # for those who wait, when the server ends: the longest wait, and a little
# For the next request of a connection, when the server ends: its client may have just sent it.
GRACE_SECONDS = 2.0
LOOK_SECONDS = 0.1  # between two looks for connections that were accepted just before the end
LIVE = "/health/live"
TICKS = 10  # of uvicorn's clock, one second
SIGN_TICKS = 5 * TICKS
REFUSED = (
    b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Content-Security-Policy: default-src 'none'; object-src 'none'; base-uri 'none';"
    b" frame-ancestors 'none'\r\n"
    b"X-Content-Type-Options: nosniff\r\nRetry-After: 10\r\nConnection: close\r\n\r\n%s"
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
            if self._is_ending:
                self.cycle.keep_alive = False

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
        """End when the server does, after the request under way, or the next one if it comes soon.

        Its answer says that the connection ends, so that the client sends no other.
        """
        if self._is_ending:
            return
        self._is_ending = True
        if self._is_idle():
            self.loop.call_later(GRACE_SECONDS, self._end_if_idle)
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _end_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

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
    """A server that looks after its connections once a second, and gives signs of life."""

    _asking: asyncio.Task[None] | None = None

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.end_if_too_slow(now)
        if counter % SIGN_TICKS == 0:
            self._give_sign()
        return await super().on_tick(counter)

    def _give_sign(self) -> None:
        """Tell the supervisor that threads answer, and see to it that there is something to answer.

        Where there is much to do, that waits for its turn, and others are answered before.
        """
        if signs.answers.are_new():
            signs.send()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(ask(self.config.loaded_app))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        telling = asyncio.create_task(self._tell_late_ones())
        try:
            await super().shutdown(sockets)
        finally:
            telling.cancel()

    async def _tell_late_ones(self) -> None:
        """Let connections that were accepted just before the end know of it, too."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for connection in list(self.server_state.connections):
                connection.shutdown()


async def ask(application: Any) -> None:
    """Have the application say that it is alive, as it would on a connection; then give a sign."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass  # That it is answered is what counts.

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": LIVE,
        "raw_path": LIVE.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", settings.PORT),
    }
    await application(scope, receive, send)
    signs.send()


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
