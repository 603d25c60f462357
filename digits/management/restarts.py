"""How `manage.py restart` asks `manage.py up` for a restart, and hears what came of it."""

import fcntl
import json
import os
import signal
import time
from pathlib import Path

from django.conf import settings

POLL_SECONDS = 0.2


class NotRunning(RuntimeError):
    """`manage.py up` does not run on this DATA_DIR."""


def lock() -> Path:
    """Return the file that `manage.py up` holds locked while it runs, with its process id."""
    return settings.DATA_DIR / "up.lock"


def _outcome() -> Path:
    return settings.DATA_DIR / "restarted.json"


def forget() -> None:
    """Forget what came of the last restart."""
    _outcome().unlink(missing_ok=True)


def report(failed: list[str]) -> None:
    """Say that a restart is over, and what could not be restarted."""
    written = _outcome().with_suffix(".new")
    written.write_text(json.dumps(failed))
    written.replace(_outcome())


def ask() -> list[str]:
    """Have everything restarted, and wait until that is over.

    Returns:
        What could not be restarted, each with the reason.

    Raises:
        NotRunning: nothing runs, or it ended meanwhile.
    """
    forget()
    os.kill(_running(), signal.SIGUSR1)
    while not _outcome().exists():
        _running()
        time.sleep(POLL_SECONDS)
    failed: list[str] = json.loads(_outcome().read_text())
    return failed


def _running() -> int:
    """Return the process id of `manage.py up`; NotRunning where it does not run."""
    try:
        with open(lock()) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (FileNotFoundError, ValueError) as error:
        raise NotRunning(f"nothing runs on {settings.DATA_DIR}") from error
    raise NotRunning(f"nothing runs on {settings.DATA_DIR}")
