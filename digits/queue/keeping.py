"""Leases are kept while the work on their rows goes on, however slow the machine is.

A thread of the worker process renews them; it stands still when the process does, and ends with it.
So a lease runs out when its worker is dead or stopped, and not because the work takes long. What
hangs for ever is ended by the time limit of its task.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection

from digits.queue import leases
from digits.queue.leases import Leased

logger = logging.getLogger(__name__)
SHARE = 1 / 3  # of LEASE_SECONDS, after which a lease is renewed
LOOK_SHARE = 1 / 6  # between two looks


@dataclass
class _Work:
    """Rows of one claim that are worked on, and when their lease began."""

    rows: Sequence[Leased]
    since: float


class _Keeper:
    """The work of this process, and the thread that renews its leases."""

    def __init__(self) -> None:
        self._work: dict[int, _Work] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, work: _Work) -> None:
        with self._lock:
            self._work[id(work)] = work
            if self._thread is None or not self._thread.is_alive():  # not after a fork
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def remove(self, work: _Work) -> None:
        with self._lock:
            del self._work[id(work)]

    def _run(self) -> None:
        while True:
            time.sleep(settings.LEASE_SECONDS * LOOK_SHARE)
            due = time.monotonic() - settings.LEASE_SECONDS * SHARE
            with self._lock:
                late = [work for work in self._work.values() if work.since <= due]
            for work in late:
                self._renew(work)

    def _renew(self, work: _Work) -> None:
        try:
            leases.renew(*work.rows)
            work.since = time.monotonic()
        except DatabaseError as error:
            logger.warning("a lease was not renewed, tried again: %s", error)
        finally:
            connection.close()


_keeper = _Keeper()


@contextlib.contextmanager
def kept(rows: Sequence[Leased]) -> Iterator[None]:
    """Renew the lease of rows of one claim while the block runs."""
    work = _Work(rows, time.monotonic())
    _keeper.add(work)
    try:
        yield
    finally:
        _keeper.remove(work)
