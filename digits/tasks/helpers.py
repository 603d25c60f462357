"""Helpers: processes beside a classify worker that read the parts of a large bulk job.

One process of Python keeps one core busy. A helper claims parts as the worker does, and ends when
none is waiting: so it takes no memory while there is nothing to do.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from django.conf import settings

from digits.batches import parts
from digits.monitoring import measures
from digits.supervisor import die_with_parent
from digits.tasks.batches import close_files, work_on_part

# So many waiting parts take about four seconds, on one core of 2026; a helper starts in one.
WORTHWHILE = 60
NICENESS = 10  # uploads go first
_running: list[subprocess.Popen[bytes]] = []  # of this process


def start_if_worthwhile() -> None:
    """Start BULK_HELPERS helpers where many parts wait; on a GPU, the worker is fast enough."""
    from worker.reading import devices

    _running[:] = [one for one in _running if one.poll() is None]
    missing = settings.BULK_HELPERS - len(_running)
    if missing <= 0 or devices.runtime() != "openvino":
        return
    if parts.waiting()[:WORTHWHILE].count() == WORTHWHILE:
        _running.extend(_start() for _ in range(missing))


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "read_parts"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def help_out(seconds: int) -> None:
    """Read parts until none is waiting. SIGTERM ends it after the part that is being read.

    seconds: after which a part hangs, and takes the process with it; its lease runs out then.
    """
    from worker.reading import devices

    is_stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopped
        is_stopped = True

    signal.signal(signal.SIGTERM, stop)
    os.nice(NICENESS)
    devices.pin(0, [])
    devices.spare_threads()
    while not is_stopped and (part := parts.claim()):
        signal.alarm(seconds)
        work_on_part(part)
        measures.flush()  # there are no heartbeats here
        signal.alarm(0)
    close_files()
