"""What hangs is replaced within a minute; what is slow, or waits for Redis, is not."""

import contextlib
import ctypes
import os
import signal
import threading
import time

import pytest
import requests

from tests.site import Site, eventually
from tests.system.test_reading import classify, finished

WITHIN = 60
KINDS = ("manage.py serve", "queues=train", "webapp beat")
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
WALL = 0x40000000  # waitpid: threads, too


@contextlib.contextmanager
def hung_thread(pid: int):
    """Hold the main thread of a process, as a deadlock does; its other threads go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_ATTACH, pid, None, None):
        pytest.skip(f"no process may be traced here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, WALL)
    # Whoever traces a process hears first of its end, and its parent only then.
    threading.Thread(target=heard_of, args=[pid], daemon=True).start()
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)


def heard_of(pid: int):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, WALL)


def swept_at(site: Site) -> float:
    """When a sweep ended since this was first asked, in seconds since 1970; 0 before."""
    site.redis().setnx("digits:asked", site.redis().time()[0])
    asked, swept = (float(site.redis().get(f"digits:{key}") or 0) for key in ("asked", "swept"))
    return swept if swept > asked else 0


def replaced(site: Site, kind: str, old: int):
    return lambda: site.processes(kind).keys() - {old}


def have_begun(site):
    """Wait until those that start last have begun to work: one orders a sweep, another does it."""
    eventually(lambda: all(map(site.processes, KINDS)))
    before = swept_at(site)
    eventually(lambda: swept_at(site) != before)


def test_stopped_processes_are_replaced_within_a_minute(own_site, seven):
    """One of each kind at once: web server, a process that reads, train worker, beat."""
    site = own_site
    have_begun(site)
    reader = site.reader()
    stopped = {kind: next(iter(site.processes(kind))) for kind in KINDS}
    for pid in (reader, *stopped.values()):
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    for kind, pid in stopped.items():
        left = began + WITHIN - time.monotonic()
        eventually(replaced(site, kind, pid), left, is_promised=True)
    left = began + WITHIN - time.monotonic()
    eventually(lambda: site.is_read_by_another(reader), left, is_promised=True)
    assert classify(site, seven) == (200, "Predicted number for input image: 7")
    assert site.log().count("is stuck (process ") == 4


def test_a_worker_whose_main_thread_hangs_is_replaced(own_site, seven):
    site = own_site
    eventually(site.is_ready)
    reader = site.reader()
    (worker,) = site.processes("queues=classify").keys() - {reader}
    with hung_thread(worker):
        eventually(replaced(site, "queues=classify", worker), WITHIN, is_promised=True)
        eventually(lambda: site.is_read_by_another(reader), WITHIN)
    assert f"classify worker is stuck (process {worker})" in site.log()
    assert classify(site, seven)[0] == 200


def test_a_reader_that_hangs_at_work_is_replaced_and_its_uploads_are_read(tmp_path, seven):
    with Site(tmp_path / "data", STUCK_SECONDS=15) as site:
        reader = site.reader()
        visitor = site.visitor()
        with hung_thread(reader):
            for number in range(3):
                assert visitor.send(seven, f"hung-{number}.png").status_code == 200
            eventually(lambda: site.is_read_by_another(reader), WITHIN, is_promised=True)
        eventually(lambda: finished(site, "hung") == 3, WITHIN)
        assert f"(process {reader})" in site.log()


def test_nobody_is_replaced_while_redis_hangs_or_is_away(tmp_path, seven):
    with Site(tmp_path / "data", STUCK_SECONDS=15) as site:
        have_begun(site)
        before = site.processes("manage.py serve|celery")
        (redis,) = site.processes("valkey-server")
        os.kill(redis, signal.SIGSTOP)
        time.sleep(32)
        os.kill(redis, signal.SIGCONT)
        eventually(site.is_ready)
        os.kill(site.process.pid, signal.SIGSTOP)  # else it starts Redis again at once
        os.kill(redis, signal.SIGKILL)
        time.sleep(5)
        assert requests.get(f"{site.url}/health/live", timeout=10).ok
        os.kill(site.process.pid, signal.SIGCONT)
        eventually(lambda: classify(site, seven)[0] == 200, 60)
        time.sleep(16)
        assert "stuck" not in site.log()
        assert site.processes("manage.py serve|celery").keys() == before.keys()
