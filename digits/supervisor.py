"""Run a set of processes as one: start them, restart what dies, end them all."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from digits.signs import PIPE, SIGN

EX_CONFIG = 78  # sysexits.h: the exit status of a process that a restart would not help
POLL_SECONDS = 0.2
LONGEST_LOOK = 1.0  # counted between two looks: a machine that stood still says nothing of others
LONGEST_PAUSE = 30
LONG_LIFE = 60  # a process that ran for so many seconds is restarted at once
STOP_SECONDS = 9.0
HASTY_SECONDS = 1.0  # for each stage, once it was told to stop twice
STUCK_SECONDS = 30.0  # and a few for the next start: a stuck process is replaced within a minute
# Whatever native code ends writes to the log where it was.
OF_ALL = {"PYTHONFAULTHANDLER": "1"}
LAST_LINES = 100  # of a service's log, among which the reason of its end is
LONGEST_REASON = 300
LINE_SIZE = 8192
AN_ERROR = re.compile(r"(?i)\b(\w*error|\w*exception|fatal|refuse[sd]?|cannot|failed)\b")
START_SECONDS = 300.0  # for one that takes over from another: it may convert a model first


class CannotRun(RuntimeError):
    """A process cannot run in this configuration."""


@dataclass
class Service:
    """One process that should always run.

    pass_fds: open files that the process inherits.
    stage: all end in the order of their stages, each of which needs the later ones until then.
    stop_seconds: for what it has begun, when it is told to end.
    delay: it starts so many seconds after the others, which people wait for.
    signs: how many processes of it give signs of life (see digits.signs) once it does its work; 0:
        none, and nobody watches it.
    overlaps: another may run beside it, so that one takes over from the other.
    log: the file that it writes its log to; None: its log is what it writes to stderr.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    stage: int = 1
    stop_seconds: float = STOP_SECONDS
    delay: float = 0.0
    signs: int = 0
    overlaps: bool = False
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    start_at: float = 0.0
    deaths: int = 0  # one soon after the other
    _heard: "_Heard | None" = None
    _log_began: int = 0  # bytes of the log that are of earlier processes
    _pipe: int | None = None
    _silent: dict[int, float] = field(default_factory=dict)  # seconds since a process's last sign
    _looked_at: float = 0.0

    def start(self) -> None:
        self.started = self._looked_at = time.monotonic()
        self._silent.clear()
        environment, pass_fds = self.environment, self.pass_fds
        self._close_pipe()
        with contextlib.suppress(OSError):
            self._log_began = self.log.stat().st_size if self.log else 0
        # Only what died before is listened to: whoever writes to a pipe depends on its reader.
        self._heard = _Heard() if self.deaths and self.log is None else None
        if self.signs:
            self._pipe, theirs = os.pipe()
            os.set_blocking(self._pipe, False)
            os.set_blocking(theirs, False)
            environment = environment | {PIPE: str(theirs)}
            pass_fds = (*pass_fds, theirs)
        try:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | OF_ALL | environment,
                pass_fds=pass_fds,
                stdin=subprocess.DEVNULL,
                stderr=self._heard.writing if self._heard else None,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends all
                preexec_fn=die_with_parent,
            )
        finally:
            if self.signs:
                os.close(theirs)
            if self._heard:
                self._heard.begin()

    def why(self) -> str:
        """Return the reason of its end from its log, once it has ended; empty: none is known."""
        lines: Iterable[str] = ()
        if self._heard:
            lines = self._heard.lines()
        elif self.log:
            with contextlib.suppress(OSError), open(self.log, "rb") as file:
                file.seek(max(self._log_began, file.seek(0, os.SEEK_END) - LAST_LINES * 200))
                lines = file.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        errors = [line for line in said if AN_ERROR.search(line)]
        return (errors or said or [""])[-1][:LONGEST_REASON]

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def look(self) -> None:
        """Take the signs of life that have come since the last look."""
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, LONGEST_LOOK), now
        for pid in self._silent:
            self._silent[pid] += passed
        if self._pipe is None:
            return
        with contextlib.suppress(BlockingIOError):
            while signs := os.read(self._pipe, SIGN.size * 1000):
                whole = len(signs) - len(signs) % SIGN.size
                self._silent.update((pid, 0.0) for (pid,) in SIGN.iter_unpack(signs[:whole]))

    def is_ready(self) -> bool:
        """Return whether all of its processes have given a sign of life."""
        return not self.has_ended() and len(self._living()) >= self.signs

    def stuck(self, seconds: float) -> list[int]:
        """Return the ids of those processes that gave none for so many seconds, after others."""
        return [pid for pid in self._living() if self._silent[pid] > seconds]

    def _living(self) -> list[int]:
        """Return the ids of the processes that gave signs; those that have ended are forgotten."""
        for pid in list(self._silent):
            if not self._is_ours(pid):
                del self._silent[pid]
        return list(self._silent)

    def _is_ours(self, pid: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            return self.process is not None and os.getpgid(pid) == self.process.pid
        return False

    def signal(self, number: int) -> None:
        """Send a signal to the process; SIGKILL to all that it has started."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            elif self.process.poll() is None:
                self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and all that it has started at once."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        self._close_pipe()

    def kill_child(self, pid: int) -> None:
        """End one of the processes that give signs of life, and expect no more of it."""
        del self._silent[pid]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


class _Heard:
    """Passes on what a process writes to stderr, and keeps its last lines."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        self._kept: deque[bytes] = deque(maxlen=LAST_LINES)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def begin(self) -> None:
        """Listen until nobody has `writing` any more; this process closes it."""
        os.close(self.writing)
        self._thread.start()

    def _listen(self) -> None:
        with open(self._reading, "rb") as source:
            while line := source.readline(LINE_SIZE):
                self._kept.append(line)
                with contextlib.suppress(OSError, ValueError):  # as on a full disk
                    sys.stderr.buffer.write(line)
                    sys.stderr.buffer.flush()

    def lines(self) -> list[str]:
        """Return the last lines, once the process has ended."""
        self._thread.join(POLL_SECONDS)  # a child that outlives it may hold the pipe
        return [line.decode(errors="replace") for line in list(self._kept)]


class Supervisor:
    """Keeps services running until it is stopped."""

    def __init__(
        self,
        services: list[Service],
        log: Callable[[str], None],
        stuck_seconds: float = STUCK_SECONDS,
        on_restart: Callable[[list[str]], object] = len,
    ) -> None:
        """Prepare to run services.

        Args:
            services: in the order of their start.
            log: takes a line about what happens.
            stuck_seconds: a watched process that gives no sign of life for so long is killed.
            on_restart: called after each restart, with what could not be restarted.
        """
        self.services = services
        self.log = log
        self.stuck_seconds = stuck_seconds
        self.on_restart = on_restart
        self.stops = 0  # how often it was told to
        self.is_to_restart = False

    def run(self) -> None:
        """Run until SIGINT or SIGTERM, then end every process; a second one ends them at once.

        SIGUSR1 restarts the services, one after another.

        Raises:
            CannotRun: a process exited with EX_CONFIG; all others are ended.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGUSR1, self._ask_to_restart)
        try:
            for service in self.services:
                if service.delay:
                    service.start_at = time.monotonic() + service.delay
                elif not self.stops:
                    service.start()
            while not self.stops:
                self._look_after_all()
                if self.is_to_restart:
                    self.is_to_restart = False
                    self._restart()
        finally:
            self._end_all()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    def _ask_to_restart(self, number: int, frame: FrameType | None) -> None:
        self.is_to_restart = True

    def _look_after_all(self, but: Service | None = None) -> None:
        """Start again what has ended, and kill what is stuck; then wait a moment."""
        for service in self.services:
            if service is not but:
                self._look_after(service)
        time.sleep(POLL_SECONDS)

    def _look_after(self, service: Service) -> None:
        now = time.monotonic()
        if service.process is None:
            if now >= service.start_at:
                service.start()
            return
        code = service.process.poll()
        if code is None:
            service.look()
            self._kill_stuck(service)
            return
        service.signal(signal.SIGKILL)  # whatever it left behind
        if code == EX_CONFIG:
            raise CannotRun(f"{service.name} refuses to start; its last line above says why")
        lived_long = now - service.started > LONG_LIFE
        service.pause = 1 if lived_long else min(max(1, service.pause * 2), LONGEST_PAUSE)
        service.deaths = 1 if lived_long else service.deaths + 1
        why = service.why() if service.deaths > 1 else ""
        service.start_at, service.process = now + service.pause, None
        self.log(f"{service.name} ended ({reason(code)}); it starts again in {service.pause:.0f} s")
        if why:
            self.log(f"{service.name} has ended {service.deaths} times; its log says why: {why}")

    def _kill_stuck(self, service: Service) -> None:
        """Kill the processes of a service that give no signs of life; others take their place."""
        stuck = service.stuck(self.stuck_seconds)
        for pid in stuck:
            self.log(f"{service.name} is stuck (process {pid}): it is killed")
        if service.process is not None and service.process.pid in stuck:
            service.signal(signal.SIGKILL)
        else:
            for pid in stuck:
                service.kill_child(pid)

    def _restart(self) -> None:
        """Restart one watched service after another, while the others run."""
        self.log("restarting")
        failed = []
        for place, service in enumerate(self.services):
            if self.stops:
                return
            if service.signs:
                error = self._take_over(place) if service.overlaps else self._start_anew(service)
                if error:
                    failed.append(f"{service.name} {error}")
                    self.log(f"{service.name} was not restarted: it {error}")
        if not self.stops:
            self.log("restarted" if not failed else "restarted, but for what failed")
            self.on_restart(failed)

    def _take_over(self, place: int) -> str:
        """Start a service beside itself, and end the old one once the new one does its work.

        Returns:
            Why the old one goes on; empty if the new one took over.
        """
        old = self.services[place]
        new = replace(old, process=None, pause=0.0, deaths=0, _heard=None, _pipe=None, _silent={})
        new.start()
        error = self._wait_for(new)
        if error or self.stops:
            self._end([new], new.stop_seconds)  # it may have begun something
            return error
        self.services[place] = new
        self._end([old], old.stop_seconds, meanwhile=self._look_after_all)
        return ""

    def _start_anew(self, service: Service) -> str:
        """End a service, and start it again; return what is wrong with the new one, if anything."""
        self._end([service], service.stop_seconds, lambda: self._look_after_all(but=service))
        service.start()
        return self._wait_for(service)

    def _wait_for(self, service: Service) -> str:
        """Wait until a service does its work; return why it does not, or nothing."""
        deadline = time.monotonic() + START_SECONDS
        while not self.stops:
            service.look()
            assert service.process is not None, "it was started"  # noqa: S101
            code = service.process.poll()
            if code is not None:
                return f"ended ({reason(code)})"
            if service.is_ready():
                return ""
            if time.monotonic() > deadline:
                return f"does nothing after {START_SECONDS:.0f} s"
            self._look_after_all(but=service)
        return ""

    def _end_all(self) -> None:
        """End all services, stage by stage."""
        for stage in sorted({service.stage for service in self.services}):
            ending = [service for service in self.services if service.stage == stage]
            self._end(ending, max(service.stop_seconds for service in ending))

    def _end(
        self,
        services: list[Service],
        seconds: float,
        meanwhile: Callable[[], object] = lambda: time.sleep(0.05),
    ) -> None:
        """Tell services to end, and kill what has not ended after so many seconds.

        After a second signal to stop, they have HASTY_SECONDS.
        """
        for service in services:
            service.signal(signal.SIGTERM)
        started = time.monotonic()
        while not all(service.has_ended() for service in services):
            passed = time.monotonic() - started
            if passed > seconds or (self.stops > 1 and passed > HASTY_SECONDS):
                break
            meanwhile()
        for service in services:
            service.kill()


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
