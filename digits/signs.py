"""Signs of life: how a process tells `manage.py up` that it makes progress.

They go through a pipe, so that neither a clock nor Redis nor the disk matters to them. A process
that nobody watches, as in a container of its own, sends none.
"""

import contextlib
import os
import signal
import struct
import threading
import time
from collections.abc import Callable

PIPE = "DIGITS_SIGNS"  # names the open file that the signs go to
SIGN = struct.Struct("=i")  # the id of the process
EVERY_SECONDS = 2.0
SLOW_SECONDS = 6.0  # without progress, after which it is asked whether something excuses that
# Of the processor, in the time that the supervisor grants: a process that hangs takes a tenth of
# that for its heartbeats, and one that works on a busy machine far more.
WORKING_SECONDS = 0.1
_pipe: int | None = None


def begin() -> None:
    """Find the pipe of this process. Processes that it forks send their signs there, too; what it
    starts otherwise does not know of it."""
    global _pipe
    number = os.environ.pop(PIPE, "")
    _pipe = int(number) if number else None


def send() -> None:
    """Tell whoever watches that this process makes progress."""
    if _pipe is not None:
        with contextlib.suppress(OSError):  # the pipe is full, or nobody watches any more
            os.write(_pipe, SIGN.pack(os.getpid()))


class Marks:
    """Marks that a process makes as it goes on; any thread may make one."""

    def __init__(self) -> None:
        self._count = 0
        self._seen = 0

    def make(self) -> None:
        """Make a mark."""
        self._count += 1

    def are_new(self) -> bool:
        """Return whether one was made since the last question."""
        seen, self._seen = self._seen, self._count
        return seen != self._seen


answers = Marks()  # of the threads of the web server


class Work:
    """Whether a process that works on one task at a time, in its main thread, goes on.

    What works takes time of the processor, if little on a busy machine; what hangs does not. What
    waits for a task can be interrupted by a signal; SIGURG does nothing else.
    """

    def __init__(self) -> None:
        """Prepare in the main thread; the process has no task yet."""
        self._is_under_way = False
        self._spent = time.process_time()
        self._marks = Marks()
        self._marks.make()
        self._main = threading.get_ident()
        signal.signal(signal.SIGURG, lambda number, frame: self._marks.make())

    def begin(self) -> None:
        """Note that the process works on a task."""
        self._is_under_way = True

    def end(self) -> None:
        """Note that it waits for the next one."""
        self._is_under_way = False
        self._marks.make()

    def goes_on(self) -> bool:
        """Return whether the process waits for a task, or has worked since this was last true."""
        spent = time.process_time()
        if self._is_under_way:
            if spent - self._spent < WORKING_SECONDS:
                return False
        elif not self._marks.are_new():
            return False
        else:
            signal.pthread_kill(self._main, signal.SIGURG)
        self._spent = spent
        return True


def send_while(goes_on: Callable[[], bool], is_excused: Callable[[], bool] = bool) -> None:
    """Send signs from a thread of this process, for as long as it makes progress.

    Args:
        goes_on: returns whether it made progress since the last question.
        is_excused: returns whether it cannot, for a reason outside of it; asked where there was no
            progress for SLOW_SECONDS.
    """

    def run() -> None:
        since = time.monotonic()
        while True:
            if goes_on():
                since = time.monotonic()
                send()
            elif time.monotonic() - since > SLOW_SECONDS and is_excused():
                send()
            time.sleep(EVERY_SECONDS)

    threading.Thread(target=run, name="signs of life", daemon=True).start()
