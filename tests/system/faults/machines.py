"""More than one web server or worker on one database, and clocks that differ."""

import contextlib
from pathlib import Path

import requests

from tests.site import eventually, free_port
from tests.system.faults.processes import READER
from tests.system.faults.scene import Does, Scene, end, kill

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
WORKER = (
    "-m celery --quiet --app=webapp worker --without-gossip --without-mingle --without-heartbeat"
    " --loglevel=INFO --queues=classify --concurrency=1 --hostname=beside{number}@%h"
)


def without_faketime() -> str:
    return "" if FAKETIME.exists() else "Debian's faketime is not installed"


def clock(minutes: int) -> dict[str, str]:
    """Return the environment of a process whose clock is so many minutes ahead."""
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": f"{minutes * 60:+}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


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


def _is_live(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/health/live", timeout=10).status_code == 200
    return False


def workers_beside(count: int, **changes) -> Does:
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
            kill(*READER(scene), number=19)
            try:
                yield
            finally:
                kill(*READER(scene), number=18)

    return around
