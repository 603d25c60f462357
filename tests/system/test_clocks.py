"""Workers on other machines, whose clocks are minutes ahead or behind: libfaketime sets them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from digits.supervisor import die_with_parent
from tests.site import ROOT, Shell, Site, environment, eventually
from tests.system import test_postgres
from tests.system.test_postgres import postgres_url  # noqa: F401  # a fixture
from tests.system.test_reading import classify, rows

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
pytestmark = [
    test_postgres.pytestmark,
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed here"),
]
AHEAD, BEHIND = 300, -300


HOLD = """
from digits.uploads import queue
print([upload.name for upload in queue.claim()])
"""


def with_clock(seconds: int) -> dict:
    """The environment of a process whose clock is so many seconds ahead."""
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": 1}


@contextmanager
def train_worker(site: Site, seconds: int):
    """A worker that sweeps, whose clock is so many seconds ahead."""
    words = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool=threads"]
    command = [sys.executable, "-m", "celery", "--quiet", "--app=webapp", "worker", *words]
    with open(site.log_path, "a") as log:
        process = subprocess.Popen(
            [*command, "--queues=train,maintenance", "--hostname=fake@%h"],
            cwd=ROOT,
            env=environment(**site.settings, **with_clock(seconds)),
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def states(site: Site) -> list[tuple[str, int]]:
    return [(row["status"], row["attempts"]) for row in rows(site, "clock-")]


@pytest.mark.parametrize(("reading", "sweeping"), [(AHEAD, BEHIND), (BEHIND, AHEAD)])
def test_what_a_worker_holds_is_freed_in_time_whatever_the_clocks_say(
    postgres_url,  # noqa: F811
    tmp_path,
    seven,
    reading,
    sweeping,
):
    changes = {"DATABASE_URL": postgres_url, "STUCK_SECONDS": 3600, "SWEEP_SECONDS": 1}
    with Site(tmp_path / "data", **changes) as site:
        site.query("from digits.models import Upload; Upload.objects.all().delete()")
        (own,) = eventually(lambda: site.processes("=train,"))
        with train_worker(site, sweeping):
            eventually(lambda: "fake@" in site.log() and "ready" in site.log().split("fake@")[1])
            os.kill(own, signal.SIGSTOP)
            site.redis().delete("digits:swept")
            eventually(lambda: site.redis().get("digits:swept"))  # the order was not too old
            reader = site.reader()
            os.kill(reader, signal.SIGSTOP)
            visitor = site.visitor()
            visitor.send(seven, "clock-1.png")
            holder = Shell(site.settings | with_clock(reading))
            assert holder.run(HOLD) == "['clock-1.png']"
            began = time.monotonic()
            os.kill(reader, signal.SIGCONT)
            while time.monotonic() - began < 7:  # it is held for 10 s
                assert states(site) == [("running", 1)]
                time.sleep(0.2)
            eventually(lambda: states(site) == [("done", 2)], 20)
            assert classify(site, seven, "clock-2.png")[0] == 200
            assert states(site) == [("done", 2), ("done", 1)]
            holder.end()
            os.kill(own, signal.SIGCONT)
