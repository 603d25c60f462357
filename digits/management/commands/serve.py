"""`manage.py serve`: the web server, without workers."""

import gc
import os
import resource
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from digits import connections, signs

KEPT_OPEN_SECONDS = 60
FILES = 1000  # open files that are no connections: databases, uploads under way


class Command(BaseCommand):
    help = "Serve the site on HOST and PORT. On SIGTERM, running requests are finished first."

    def handle(self, **_: Any) -> None:
        os.umask(0o077)  # nobody but this user may read what is sent
        signs.begin()
        server = connections.config(
            settings.ASGI_APPLICATION.replace(".application", ":application"),
            host=settings.HOST,
            port=settings.PORT,
            timeout_keep_alive=KEPT_OPEN_SECONDS,
            timeout_graceful_shutdown=int(connections.STOP_SECONDS),
        )
        server.load()
        gc.freeze()
        # What requests leave in cycles is freed early. At (20_000, 20, 20) the process grew by 7 MB
        # in 6,000 uploads, and did not give it back.
        gc.set_threshold(2_000, 20, 10)
        _allow_open_files(settings.MAX_CONNECTIONS + FILES)
        connections.Server(server).run(connections.inherited())


def _allow_open_files(count: int) -> None:
    """Raise the limit of this process's open files, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
