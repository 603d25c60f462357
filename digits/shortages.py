"""What a site may lack for a while: its disk, or room there, or its database's attention.

That is said to whoever sent the request, with the status of HTTP for it, and is no "error of ours".
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError, connection

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_DISK = (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
DISK_FULL = "53100"  # PostgreSQL's code
# Of SQLite, whose errors have no code here.
DISK_WORDS = ("disk I/O error", "readonly database", "unable to open database file")


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
FAILING = Shortage(
    503,
    "The disk fails",
    "This site cannot use its disk at the moment. Nothing was stored. Try again later, or tell"
    " whoever looks after the site.",
    60,
)
CROWDED = Shortage(
    503,
    "The site is busy",
    "This site has too much to do at the moment. Nothing was stored. Try again in a moment.",
    5,
)
BUSY = Shortage(
    503,
    "The site is busy",
    "The database of this site did not answer in time. Nothing was stored. Try again in a moment.",
    5,
)


def shortage_of(error: BaseException | None) -> Shortage | None:
    """Return what an error comes from, if the site lacks something; else None."""
    chain = list(_chain(error))
    for of_what in (_of_the_system, _of_the_disk_of_the_database, _of_the_database):
        for one in chain:
            if found := of_what(one):
                return found
    return None


def _of_the_system(error: BaseException) -> Shortage | None:
    if isinstance(error, OSError):
        for numbers, shortage in ((NO_ROOM, FULL), (NO_DISK, FAILING), (NO_DESCRIPTOR, CROWDED)):
            if error.errno in numbers:
                return shortage
    return None


def _of_the_disk_of_the_database(error: BaseException) -> Shortage | None:
    text = str(error)
    if getattr(error, "sqlstate", None) == DISK_FULL or "disk is full" in text:
        return FULL
    if connection.vendor == "sqlite" and any(word in text for word in DISK_WORDS):
        return FAILING
    return None


def _of_the_database(error: BaseException) -> Shortage | None:
    """Return BUSY if a lock or a connection was not got; SQLite calls other errors so, too."""
    is_operational = isinstance(error, OperationalError)
    is_busy = is_operational and (connection.vendor != "sqlite" or "locked" in str(error))
    return BUSY if is_busy else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it was made of."""
    while error is not None:
        yield error
        error = error.__cause__
