"""More than one web server or worker on one database, and clocks that differ."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache

import requests

from tests.site import eventually, free_port
from tests.system.faults.processes import READER
from tests.system.faults.scene import Does, Scene, end, kill

# Debian 12's has a bug: no process of Python 3.11 can sleep with it.
OF_DEBIAN = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
OF_PACKAGE = "vendor/libfaketime/src/libfaketime.so.1"
PROBE = "import time; time.sleep(0.01); print(time.time())"
WORKER = (
    "-m celery --quiet --app=webapp worker --without-gossip --without-mingle --without-heartbeat"
    " --loglevel=INFO --queues=classify --concurrency=1 --hostname=beside{number}@%h"
)


def clock(minutes: int, library: str = "") -> dict[str, str]:
    """Return the environment of a process whose clock is so many minutes ahead."""
    return {
        "LD_PRELOAD": library or faketime(),
        "FAKETIME": f"{minutes * 60:+}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@cache
def faketime() -> str:
    """Return the path of a libfaketime that works with this Python; empty where there is none."""
    package = importlib.util.find_spec("libfaketime")
    places = package.submodule_search_locations if package else []
    for path in (*(f"{place}/{OF_PACKAGE}" for place in places or []), OF_DEBIAN):
        env = os.environ | clock(5, path)
        words = [sys.executable, "-c", PROBE]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0 and float(done.stdout) > time.time() + 200:
            return path
    return ""


def without_faketime() -> str:
    return "" if faketime() else "libfaketime is not installed, or an old one"


def web_beside(**changes) -> Does:
    """Uploads go to a second web server, whose environment is changed."""

    @contextlib.contextmanager
    def around(scene: Scene):
        port = free_port()
        web = scene.start("manage.py", "serve", PORT=port, **changes)
        scene.url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: _is_live(scene.url))
            yield
        finally:
            scene.url = scene.site.url
            end(web)

    return around


def with_clock(minutes: int, beside: Callable[..., Does]) -> Does:
    """The clock of another web server or worker is so many minutes ahead."""

    @contextlib.contextmanager
    def around(scene: Scene):
        with beside(**clock(minutes))(scene):
            yield

    return around


def _is_live(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/health/live", timeout=10).status_code == 200
    return False


def workers_beside(count: int = 1, **changes) -> Does:
    """More classify workers read, whose environment is changed."""

    @contextlib.contextmanager
    def around(scene: Scene):
        before = scene.site.log().count("loaded model version")
        workers = [
            scene.start(*WORKER.format(number=number).split(), **changes) for number in range(count)
        ]
        try:
            eventually(lambda: scene.site.log().count("loaded model version") >= before + count, 60)
            yield
        finally:
            for worker in workers:
                end(worker)

    return around


def alone(beside: Does) -> Does:
    """The installation's own reader stands still meanwhile, so that others read all."""

    @contextlib.contextmanager
    def around(scene: Scene):
        with beside(scene):
            kill(*READER(scene), number=signal.SIGSTOP)
            try:
                yield
            finally:
                kill(*READER(scene), number=signal.SIGCONT)

    return around
