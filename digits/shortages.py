"""What a site may lack for a while: room on its disk, or its database's attention.

That is said to whoever sent the request, with the status of HTTP for it, and is no "error of ours".
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError, connection

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL = "53100"  # PostgreSQL's code


class NoRoom(OSError):
    """So little is free on the disk that nothing more is stored."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "less than MIN_FREE_MB is free")


def check_disk() -> None:
    """Raise NoRoom where less than MIN_FREE_MB is free on the disk of DATA_DIR."""
    disk = os.statvfs(settings.DATA_DIR)
    if disk.f_bavail * disk.f_frsize < settings.MIN_FREE_BYTES:
        raise NoRoom


@dataclass(frozen=True)
class Shortage:
    """The status of HTTP, the reason, and the seconds after which to try again."""

    status: int
    title: str
    message: str
    seconds: int


FULL = Shortage(
    507,
    "The disk is full",
    "The disk of this site is full. Nothing was stored, and nothing that was stored before is lost."
    " Try again later, or tell whoever looks after the site.",
    300,
)
BUSY = Shortage(
    503,
    "The site is busy",
    "The database of this site did not answer in time. Nothing was stored. Try again in a moment.",
    5,
)


def shortage_of(error: BaseException | None) -> Shortage | None:
    """Return what an error comes from, if the site lacks something; else None."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in NO_ROOM:
            return FULL
        if getattr(one, "sqlstate", None) == DISK_FULL or "disk is full" in str(one):
            return FULL
    return BUSY if any(map(_is_of_a_busy_database, _chain(error))) else None


def _is_of_a_busy_database(error: BaseException) -> bool:
    """Return whether a lock or a connection was not got; SQLite calls other errors so, too."""
    is_operational = isinstance(error, OperationalError)
    return is_operational and (connection.vendor != "sqlite" or "locked" in str(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it was made of."""
    while error is not None:
        yield error
        error = error.__cause__
