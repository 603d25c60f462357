"""Run a set of processes as one: start them, restart what dies, end them all."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

EX_CONFIG = 78  # sysexits.h: the exit status of a process that a restart would not help
POLL_SECONDS = 0.2
LONGEST_PAUSE = 30
LONG_LIFE = 60  # a process that ran for so many seconds is restarted at once
STOP_SECONDS = 9
LAST_STOP_SECONDS = 3


class CannotRun(RuntimeError):
    """A process cannot run in this configuration."""


@dataclass
class Service:
    """One process that should always run.

    pass_fds: open files that the process inherits.
    last: it ends after all others, which may need it until then.
    delay: it starts so many seconds after the others, which people wait for.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    last: bool = False
    delay: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    start_at: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | self.environment,
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends all in order
            preexec_fn=die_with_parent,
        )

    def signal(self, number: int) -> None:
        """Send a signal to the process; SIGKILL to all that it has started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            elif self.process.poll() is None:
                self.process.send_signal(number)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


class Supervisor:
    """Keeps services running until it is stopped."""

    def __init__(self, services: list[Service], log: Callable[[str], None]) -> None:
        self.services = services
        self.log = log
        self.stopping = False

    def run(self) -> None:
        """Run until SIGINT or SIGTERM, then end every process.

        Raises:
            CannotRun: a process exited with EX_CONFIG; all others are ended.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            for service in self.services:
                if service.delay:
                    service.start_at = time.monotonic() + service.delay
                elif not self.stopping:
                    service.start()
            while not self.stopping:
                for service in self.services:
                    self._look_after(service)
                time.sleep(POLL_SECONDS)
        finally:
            self._end_all()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _look_after(self, service: Service) -> None:
        now = time.monotonic()
        if service.process is None:
            if now >= service.start_at:
                service.start()
            return
        code = service.process.poll()
        if code is None:
            return
        service.signal(signal.SIGKILL)  # whatever it left behind
        if code == EX_CONFIG:
            raise CannotRun(f"{service.name} refuses to start; its last line above says why")
        lived_long = now - service.started > LONG_LIFE
        service.pause = 1 if lived_long else min(max(1, service.pause * 2), LONGEST_PAUSE)
        service.start_at, service.process = now + service.pause, None
        self.log(f"{service.name} ended ({reason(code)}); it starts again in {service.pause:.0f} s")

    def _end_all(self) -> None:
        self._end([service for service in self.services if not service.last], STOP_SECONDS)
        self._end([service for service in self.services if service.last], LAST_STOP_SECONDS)

    def _end(self, services: list[Service], seconds: float) -> None:
        for service in services:
            service.signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not all(s.has_ended() for s in services):
            time.sleep(0.05)
        for service in services:
            service.signal(signal.SIGKILL)
            if service.process is not None:
                service.process.wait()


def reason(code: int) -> str:
    """Return why a process ended, from its exit code as subprocess gives it."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def die_with_parent() -> None:
    """Ask the kernel, on Linux, to end this process when the supervisor is killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
