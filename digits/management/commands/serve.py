"""`manage.py serve`: the web server, without workers."""

import contextlib
import ctypes
import gc
import os
import resource
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from digits import connections, signs

KEPT_OPEN_SECONDS = 60
# Of glibc's malloc, by the numbers in malloc.h: few arenas, and large blocks that are given back
# to the system. Without them the process kept 60 MB after 100 tables of 1 MB, as each thread takes
# its memory from an arena of its own.
MALLOC = {
    -8: 2,  # M_ARENA_MAX
    -3: 128 * 1024,  # M_MMAP_THRESHOLD: its default, but it rises no more
    -1: 128 * 1024,  # M_TRIM_THRESHOLD
}
FILES = 1000  # open files that are no connections: databases, uploads under way


class Command(BaseCommand):
    help = "Serve the site on HOST and PORT. On SIGTERM, running requests are finished first."

    def handle(self, **_: Any) -> None:
        _give_memory_back()
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


def _give_memory_back() -> None:
    """Let malloc give back what is freed, where it is glibc's."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOC.items():
            mallopt(option, value)


def _allow_open_files(count: int) -> None:
    """Raise the limit of this process's open files, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
