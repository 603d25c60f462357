"""The WSGI application: `waitress-serve webapp.wsgi:application`."""

import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")


class Programs(WSGIHandler):
    """Django for requests of programs: without what only browsers need, as sessions and forms."""

    def load_middleware(self, is_async: bool = False) -> None:
        # Django reads the list from the settings, while the process still has one thread.
        all_middleware = settings.MIDDLEWARE
        settings.MIDDLEWARE = settings.PROGRAM_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = all_middleware


def is_of_program(environ: dict[str, Any]) -> bool:
    """Return whether a request is for programs, and comes without a browser's cookies."""
    path = environ.get("PATH_INFO", "")
    if path == "/mnist/classify":
        return True  # cookies are ignored there
    return path.startswith("/api/v1/") and "HTTP_COOKIE" not in environ


_pages = get_wsgi_application()
_programs = Programs()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer a request."""
    handler = _programs if is_of_program(environ) else _pages
    return handler(environ, start_response)
