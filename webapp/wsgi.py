"""The WSGI application, which answers in threads: see webapp.asgi for the whole site."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

from digits import signs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")


@contextmanager
def program_middleware() -> Iterator[None]:
    """Let a handler load the middleware for programs.

    Django reads the list from the settings; the process still has one thread then.
    """
    of_pages = settings.MIDDLEWARE
    settings.MIDDLEWARE = settings.PROGRAM_MIDDLEWARE
    try:
        yield
    finally:
        settings.MIDDLEWARE = of_pages


class Programs(WSGIHandler):
    """Django for requests of programs: without what only browsers need, as sessions and forms."""

    def load_middleware(self, is_async: bool = False) -> None:
        with program_middleware():
            super().load_middleware(is_async)


def is_of_program(environ: dict[str, Any]) -> bool:
    """Return whether a request is for programs, and comes without a browser's cookies."""
    return environ.get("PATH_INFO", "").startswith("/api/v1/") and "HTTP_COOKIE" not in environ


_pages = get_wsgi_application()
_programs = Programs()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    handler = _programs if is_of_program(environ) else _pages
    try:
        return handler(environ, start_response)
    finally:
        signs.answers.make()
