"""The ASGI application: `uvicorn webapp.asgi:application`.

A request is taken whole before anything works on it, so that a slow client costs no thread. What
programs send most is answered in the event loop, where any number of requests may wait; all else is
the WSGI application's, in threads.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, BinaryIO, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.http import HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from webapp.wsgi import application as wsgi_application  # sets Django up

from digits import addresses, tracing  # isort: skip
from digits.middleware import CONTENT_SECURITY_POLICY  # isort: skip
from webapp.programs import Programs, Scope, Send, ShortWay  # isort: skip

Receive = Callable[[], Awaitable[dict[str, Any]]]
IN_LOOP = ("/mnist/classify", "/mnist/classify/")
IN_MEMORY = 512 * 1024  # a larger body lies in a file meanwhile
ROOM_FOR_FORM = 1024 * 1024
CHUNK = 64 * 1024
SLOWEST = 2000  # bytes a second of a body, once it has taken BODY_SECONDS


class Refused(Exception):
    """A request that is not taken: its status, and the reason for its sender."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Application:
    """The site."""

    def __init__(self) -> None:
        self.programs = Programs()
        self.short_way = ShortWay(self.programs)
        self.pages = WSGIMiddleware(cast(Any, wsgi_application), workers=settings.WEB_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.pages(scope, receive, send)  # type: ignore[arg-type]  # its own types
            return
        scope = addresses.as_sent(below_prefix(scope))
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            body = cast(BinaryIO, file)  # it reads and writes as one
            try:
                if await read_body(scope, receive, body):
                    await self._answer(scope, body, send)
            except Refused as refused:
                await self._refuse(refused, send)

    async def _answer(self, scope: Scope, body: BinaryIO, send: Send) -> None:
        if not scope["path"]:
            response = HttpResponsePermanentRedirect(settings.URL_PREFIX, preserve_request=True)
            await self.programs.send_response(response, send)
        elif scope["path"] in IN_LOOP:
            if not await self.short_way.answer(scope, body, send):
                learning = self.short_way.learning(scope, send)
                await self.programs.answer(made_plain(scope, body), body, learning)
        else:
            plain = made_plain(scope, body)
            await self.pages(plain, in_chunks(body), send)  # type: ignore[arg-type]

    async def _refuse(self, refused: Refused, send: Send) -> None:
        """Answer a request that was not taken, and end its connection."""
        response = HttpResponse(f"{refused}\n", "text/plain; charset=utf-8", refused.status)
        response.headers["Connection"] = "close"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        await self.programs.send_response(response, send)


def below_prefix(scope: Scope) -> Scope:
    """Return the scope of a request with its path below URL_PREFIX.

    A proxy may pass the path on as it came, or without the prefix. What is asked for has the path
    "" where it is the prefix without its last slash.
    """
    prefix, path = settings.URL_PREFIX[:-1], scope.get("path", "")
    if not prefix or not (path == prefix or path.startswith(f"{prefix}/")):
        return scope
    below = path.removeprefix(prefix)
    return scope | {"path": below, "raw_path": below.encode()}


def limit_of(path: str) -> int:
    """Return how many bytes the body of a request to this path may have, its last slash or not."""
    uploads, batches = settings.MAX_UPLOAD_BYTES, settings.MAX_BATCH_BYTES
    in_base64 = uploads * 4 // 3
    largest = {
        "": max(uploads, batches),
        "/mnist/classify": in_base64,
        "/api/v1/uploads": in_base64,
        "/batches": batches,
        "/api/v1/batches": batches,
    }
    return largest.get(path.removesuffix("/"), 0) + ROOM_FOR_FORM


async def read_body(scope: Scope, receive: Receive, body: BinaryIO) -> bool:
    """Write a request's body to a file, and go to its start. Return False if the client left.

    Raises:
        Refused: it is too large, or nothing came for a while.
    """
    limit = limit_of(scope["path"])
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if lengths and lengths[0].isdigit() and int(lengths[0]) > limit:
        raise Refused(413, "That is too large.")
    size, more, started = 0, True, time.monotonic()
    while more:
        if time.monotonic() - started > settings.BODY_SECONDS + size / SLOWEST:
            raise Refused(408, "The request came too slowly.")
        try:
            async with asyncio.timeout(settings.BODY_SECONDS):
                message = await receive()
        except TimeoutError as error:
            raise Refused(408, "The rest of the request did not come.") from error
        if message["type"] == "http.disconnect":
            return False
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise Refused(413, "That is too large.")
        body.write(chunk)
    body.seek(0)
    return True


def made_plain(scope: Scope, body: BinaryIO) -> Scope:
    """Return the scope of a request as WSGI has it.

    The length of the body is that of what came, also where it came without one. Headers whose names
    have underscores are left out, since they would pass for those with hyphens, which a proxy sets.
    """
    length = str(body.seek(0, os.SEEK_END)).encode()
    body.seek(0)
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if b"_" not in name and name not in (b"content-length", b"transfer-encoding")
    ]
    return scope | {"headers": [*headers, (b"content-length", length)]}


def in_chunks(body: BinaryIO) -> Receive:
    """Return a function that gives a body piece by piece, as a server does."""

    async def receive() -> dict[str, Any]:
        chunk = body.read(CHUNK)
        return {"type": "http.request", "body": chunk, "more_body": len(chunk) == CHUNK}

    return receive


def traced(app: Any) -> Any:
    """Return an ASGI application whose requests have traces, if these are wanted."""
    if not settings.TRACING:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    tracing.start("web")
    return OpenTelemetryMiddleware(
        app,
        excluded_urls="/health/,/static/,/metrics",
        exclude_spans=["receive", "send"],
        server_request_hook=_name,
    )


def _name(span: Any, scope: Scope) -> None:
    """Name the span of a request by the route of its address, which has no ids in it."""
    path = below_prefix(scope)["path"]
    with suppress(Resolver404):
        route = f"/{resolve(path if path.endswith('/') else f'{path}/').route}"
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)


application = traced(Application())
