"""A running installation, the faults that are done to it, and what it takes to see it recover."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import requests

from tests.bulks import kaggle_csv
from tests.pictures import mnist_png, noisy_page
from tests.postgres import Postgres
from tests.site import ROOT, Site, environment, eventually
from tests.system.faults import judge
from tests.system.faults.driver import Driver, Picture, Sender
from tests.system.faults.judge import Job, Verdict
from worker.files.datasets import load_mnist

ROWS = 2000  # of the batch that is read while a fault is done: one to two seconds' work
CALM_SECONDS = 1.0  # before a fault, and after it is mended
LONGEST_RECOVERY = 120.0
SMALL, LARGE = 24, 6  # pictures: those in the database, and those on the disk
TOKEN = """
from django.contrib.auth import get_user_model
from digits.accounts import tokens
user, _ = get_user_model().objects.get_or_create(username="NAME")
print(tokens.make(user, "a test")[1])
"""


@dataclass
class Scene:
    """An installation under test, and who sends to it.

    server: the PostgreSQL server, where there is one.
    url: where uploads are sent.
    """

    site: Site
    server: Postgres | None = None
    url: str = ""
    pictures: list[Picture] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    _runs: int = 0

    def prepare(self) -> None:
        """Make the sender, the pictures and the batch. A picture that is misread while all is well
        is left out."""
        self.url, dataset, visitor = self.site.url, load_mnist("test"), self.site.visitor()
        self.table = kaggle_csv(dataset, ROWS, labels=True)
        self.truth = dataset.labels[:ROWS].tolist()
        visitor.send(mnist_png(dataset, 0))
        self.sender = Sender(self.token_of("driver"), dict(visitor.session.cookies), visitor.token)
        small = [(number, mnist_png(dataset, number)) for number in range(SMALL)]
        large = [(number, noisy_page(dataset, number)) for number in range(LARGE)]
        for number, data in [*small, *large]:
            picture = Picture(data, str(dataset.labels[number]))
            answer = requests.post(
                f"{self.url}/mnist/classify", files={"file": ("a.png", data)}, timeout=60
            )
            if answer.text == f"Predicted number for input image: {picture.reading}\n":
                self.pictures.append(picture)
        assert len(self.pictures) > 0.8 * (SMALL + LARGE)
        cut = large[0][1][: len(large[0][1]) // 2]
        self.pictures.append(Picture(cut, error="cut off or damaged"))
        eventually(lambda: re.search(r"train@\S+ ready", self.site.log()), 60)  # it starts last

    def token_of(self, name: str) -> dict[str, str]:
        """Return the header with a new token of an account, which is made where it is missing."""
        return {"Authorization": f"Bearer {self.site.query(TOKEN.replace('NAME', name))}"}

    def send_batch(self, url: str = "") -> Job:
        """Send the batch; it is judged with the uploads."""
        answer = requests.post(
            f"{url or self.url}/api/v1/batches/",
            files={"file": ("batch.csv", self.table)},
            headers=self.sender.token,
            timeout=60,
        )
        answer.raise_for_status()
        job = Job(answer.json()["id"], self.truth)
        self.jobs.append(job)
        return job

    def rows_done(self, job: Job) -> int:
        place = f"{self.url}/api/v1/batches/{job.key}/"
        return requests.get(place, headers=self.sender.token, timeout=60).json()["done"]

    def run(self, fault: "Fault") -> Verdict:
        """Do a fault while uploads are sent beside a batch, and judge what became of them."""
        self._runs += 1
        prefix, self.jobs = f"fault{self._runs}-", []
        with fault.around(self):
            self.driver = Driver(self.url, prefix, self.pictures, self.sender)
            with self.driver:
                time.sleep(CALM_SECONDS)
                job = self.send_batch()
                eventually(lambda: self.rows_done(job) > 0, every=0.02)
                with fault.done(self):
                    time.sleep(fault.seconds)
                    ended = time.monotonic()
                seconds = self._recovered(prefix, ended)
                time.sleep(CALM_SECONDS)
            with contextlib.suppress(AssertionError):  # the judge says what waits for ever
                eventually(lambda: not any(judge.unfinished(self.site, prefix, self.jobs)), 60, 0.5)
            verdict = judge.judge(
                self.site, fault.name, prefix, self.driver.sent, self.jobs, fault.reasons
            )
        verdict.seconds = seconds
        return verdict

    def _recovered(self, prefix: str, ended: float) -> float | None:
        """Wait until an upload is read that was sent after the fault, and all that waited when it
        ended is over. Return how many seconds that took; None where it took too long."""
        waited = {one.name for one in self.driver.sent if one.begun < ended}
        while time.monotonic() - ended < LONGEST_RECOVERY:
            now = time.monotonic()
            is_read = any(one.told and one.begun > ended for one in self.driver.sent)
            if is_read and self._is_over(prefix, waited):
                return now - ended
            time.sleep(0.2)
        return None

    def _is_over(self, prefix: str, waited: set[str]) -> bool:
        try:
            names, batches = judge.unfinished(self.site, prefix, self.jobs)
        except AssertionError:  # the database is not there yet
            return False
        answered = all(one.ended for one in self.driver.sent if one.name in waited)
        return answered and not batches and not names & waited

    def make_well(self) -> None:
        """Wait until the installation is ready for the next fault; if it is not, start it anew."""
        with contextlib.suppress(AssertionError):
            eventually(self.site.is_ready, 60)
            return
        kill(self.site.process.pid, *self.site.processes())
        self.site.process.wait()
        self.site.start()

    def pids(self, pattern: str) -> list[int]:
        """Return the processes of the installation whose command lines match, parents first."""
        found = self.site.processes(pattern)
        return sorted(found, key=lambda pid: (parent_of(pid) in found, pid))

    def start(self, *words: str, **changes) -> subprocess.Popen:
        """Start a process of Python beside the installation, as one of its own."""
        with open(self.site.log_path, "a") as log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment(**self.site.settings | changes),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


Does = Callable[[Scene], AbstractContextManager[object]]


@contextlib.contextmanager
def nothing(scene: Scene):
    """Do no harm."""
    yield


def together(*all_of: Does) -> Does:
    """Do all of these, one after the other."""

    @contextlib.contextmanager
    def done(scene: Scene):
        with contextlib.ExitStack() as entered:
            for one in all_of:
                entered.enter_context(one(scene))
            yield

    return done


@dataclass(frozen=True)
class Fault:
    """One fault.

    name: in the table.
    done: returns a context that does the harm when it is entered, and ends it when it is left.
    seconds: between the two.
    around: a context of what else the fault needs; its beginning is waited for.
    reasons: patterns of errors that uploads and rows may fail with: this fault makes them true.
    needs: returns why the fault cannot be done here; empty where it can.
    home: the kind of installation that it is done to, of those in `homes`.
    on: the databases that it is about.
    """

    name: str
    done: Does
    seconds: float = 0.0
    around: Does = nothing
    reasons: tuple[str, ...] = ()
    needs: Callable[[], str] = str
    home: str = "plain"
    on: tuple[str, ...] = ("sqlite", "postgresql")


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def kill(*pids: int, number: int = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end(process: subprocess.Popen) -> None:
    """End a process that was started beside the installation, and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
