"""Faults of processes: killed, stopped, asked to end, started once too often."""

import contextlib
import os
import signal
from collections.abc import Callable

from tests.site import eventually
from tests.system.faults.scene import Does, Scene, end, kill

Who = Callable[[Scene], list[int]]


def _by(pattern: str, first: bool = False, children: bool = False) -> Who:
    """Return who to do harm to: of the processes with such a command line all, the parent, or its
    children."""

    def pids(scene: Scene) -> list[int]:
        found = scene.pids(pattern)
        assert found, f"no process is {pattern}"
        return found[:1] if first else found[1:] if children else found

    return pids


WEB = _by(r"manage\.py serve")
WORKER = _by("--hostname=classify@", first=True)
READER = _by("--hostname=classify@", children=True)
TRAIN = _by("--hostname=train@")
BEAT = _by("webapp beat")
REDIS = _by("valkey-server")
BESIDE = _by("--hostname=beside")


def SUPERVISOR(scene: Scene) -> list[int]:
    return [scene.site.process.pid]


def EVERYTHING(scene: Scene) -> list[int]:
    return [scene.site.process.pid, *scene.site.processes()]


def killed(*who: Who, number: int = signal.SIGKILL) -> Does:
    """They are killed, and the supervisor starts them again. The fault ends when they are gone."""

    @contextlib.contextmanager
    def done(scene: Scene):
        pids = {pid for one in who for pid in one(scene)}
        kill(*pids, number=number)
        eventually(lambda: not pids & scene.site.processes().keys(), 20)
        yield

    return done


def stopped(*who: Who) -> Does:
    """They stand still, and go on."""

    @contextlib.contextmanager
    def done(scene: Scene):
        pids = [pid for one in who for pid in one(scene)]
        kill(*pids, number=signal.SIGSTOP)
        try:
            yield
        finally:
            kill(*pids, number=signal.SIGCONT)

    return done


@contextlib.contextmanager
def reader_stopped_at_work(scene: Scene):
    """The reader stands still while it holds rows, and goes on later."""
    (reader,) = READER(scene)
    eventually(lambda: _is_stopped_at_work(scene, reader), every=0.02)
    try:
        yield
    finally:
        kill(reader, number=signal.SIGCONT)


@contextlib.contextmanager
def reader_killed_at_work(scene: Scene):
    """The reader is killed while it holds rows."""
    (reader,) = READER(scene)
    eventually(lambda: _is_stopped_at_work(scene, reader), every=0.02)
    kill(reader)
    yield


HELD = """
from digits.models import BatchPart, Upload
print(sum(rows.filter(lease__isnull=False).count() for rows in (BatchPart.objects, Upload.objects)))
"""


def _is_stopped_at_work(scene: Scene, reader: int) -> bool:
    """Stop a process; it goes on where it holds no row now."""
    kill(reader, number=signal.SIGSTOP)
    if int(scene.site.query(HELD)):
        return True
    kill(reader, number=signal.SIGCONT)
    return False


@contextlib.contextmanager
def everything_killed(scene: Scene):
    """All processes are killed at once, as by a power cut, and `up` is started again."""
    kill(*EVERYTHING(scene))
    scene.site.process.wait()
    yield
    scene.site.start()


def supervisor_ended(number: int) -> Does:
    """The supervisor is ended by a signal, and everything with it; `up` is started again."""

    @contextlib.contextmanager
    def done(scene: Scene):
        os.kill(scene.site.process.pid, number)
        scene.site.process.wait(30)
        eventually(lambda: not scene.site.processes())
        yield
        scene.site.start()

    return done


@contextlib.contextmanager
def started_twice(scene: Scene):
    """`up` is started a second time on the same DATA_DIR; it has to refuse."""
    second = scene.start("manage.py", "up", PORT=scene.site.port + 1)
    try:
        assert second.wait(60) == 1
        yield
    finally:
        end(second)
