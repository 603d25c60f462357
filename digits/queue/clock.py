"""The one clock of an installation: that of its database.

Processes of several machines compare times that others have written, as those of leases. Where each
took its own clock, a worker five minutes behind would lose its leases at once, and the leases of
one five minutes ahead would outlive it for as long.
"""

import threading
import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

LOOK_SECONDS = 60.0  # between two looks at the database's clock; meanwhile this process counts


class _Clock:
    """The database's clock, as it was looked at, and when that was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: datetime | None = None
        self._read_at = 0.0

    def now(self) -> datetime:
        with self._lock:
            passed = time.monotonic() - self._read_at
            if self._read is None or passed > LOOK_SECONDS:
                self._read, self._read_at, passed = _ask(), time.monotonic(), 0.0
            return self._read + timedelta(seconds=passed)


def _ask() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        answer: datetime = cursor.fetchone()[0]
        return answer


_clock = _Clock()


def now() -> datetime:
    """Return the time by the database's clock.

    SQLite has none of its own: all its processes are on one machine, and share that one's.

    Raises:
        DatabaseError: the database does not answer.
    """
    return _clock.now() if connection.vendor == "postgresql" else timezone.now()
