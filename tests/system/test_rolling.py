"""A site of the release before is updated while people send: workers first, then the web server."""

import io
import itertools
import json
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.pictures import mnist_png
from tests.postgres import MISSING, Postgres, has_postgresql
from tests.redis_server import redis_by_tcp
from tests.site import ROOT, Shell, die_with_parent, environment, eventually, free_port, load

RELEASE = "06a6fad00debf62b74c8bc1bf00c2e9c3d95deb6"  # 0.2.0
A_SECOND = 10  # uploads
CELERY = ["-m", "celery", "--quiet", "--app=webapp"]
WORDS = ["worker", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
CLASSIFY = [*CELERY, *WORDS, "--queues=classify", "--concurrency=1"]
SWEEPS = [*CELERY, *WORDS, "--queues=train,maintenance", "--pool=threads", "--concurrency=4"]
TOKEN = """
from django.contrib.auth import get_user_model
from digits.accounts import tokens
print(tokens.make(get_user_model().objects.create_user("ann"), "rolling")[1])
"""
RESULT = """
import json
from collections import Counter
from django.db.models import Count
from digits.models import Digit, Upload
sent = Upload.objects.filter(name__startswith="rolling-")
print(json.dumps({
    "stored": sent.count(), "names": sent.values("name").distinct().count(),
    "states": dict(Counter(sent.values_list("status", flat=True))),
    "right": sum(one.name.endswith(f"-{one.reading}.png") for one in sent),
    "twice": sent.annotate(n=Count("digits")).filter(n__gt=1).count(),
    "of_version": Digit.objects.filter(upload__in=sent).annotate(n=Count("predictions"))
                  .filter(n__gt=1).count(),
}))
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The source of the release before."""
    if not has_postgresql():
        pytest.skip(MISSING)
    packed = subprocess.run(["git", "archive", RELEASE], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip("this checkout has no history with the release before")
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Fleet:
    """Processes of two releases on one database, Redis and folder of files."""

    def __init__(self, folder, **settings):
        self.folder, self.settings = folder, settings
        self.processes = []

    def run(self, root, *words: str) -> str:
        """Run a command to its end; return what it prints."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=root,
            env=environment(**self.settings),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def start(self, root, *words: str, **settings) -> subprocess.Popen:
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=root,
                env=environment(**self.settings | settings),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        self.processes.append(process)
        return process

    def web(self, root) -> tuple[subprocess.Popen, str]:
        port = free_port()
        process = self.start(root, "manage.py", "serve", PORT=port)
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, (self.folder / "log").read_text()[-3000:]
            try:
                return requests.get(f"{url}/health/live", timeout=20).ok
            except requests.ConnectionError:
                return False

        eventually(answers, 90)
        return process, url

    def end(self, process: subprocess.Popen) -> None:
        process.terminate()
        assert process.wait(60 * load()) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait(20)


class Senders:
    """Send so many uploads a second to the web servers that are in `urls`, in turn."""

    def __init__(self, mnist, url: str, token: str):
        self.mnist, self.urls = mnist, [url]
        self.headers = {"Authorization": f"Bearer {token}"}
        self.refused: list[str] = []
        self.sent = 0
        self._is_over, self._turns = threading.Event(), itertools.count()

    def _send(self, number: int) -> None:
        index = number % 500
        name = f"rolling-{number}-{self.mnist.labels[index]}.png"
        urls = list(self.urls)  # it changes meanwhile
        url = urls[next(self._turns) % len(urls)]
        try:
            answer = requests.post(
                f"{url}/api/v1/uploads/",
                files={"file": (name, mnist_png(self.mnist, index))},
                headers=self.headers,
                timeout=60,
            )
            if answer.status_code not in (201, 202):
                self.refused.append(f"{url}: {answer.status_code} {answer.text[:200]}")
        except requests.RequestException as error:
            self.refused.append(f"{url}: {error}")

    def _run(self) -> None:
        with ThreadPoolExecutor(32) as pool:
            while not self._is_over.wait(1 / A_SECOND):
                pool.submit(self._send, self.sent)
                self.sent += 1

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()


def result(shell: Shell) -> dict:
    return json.loads(shell.run(RESULT))


def test_nothing_is_refused_lost_or_read_twice_while_a_site_is_updated(release, mnist, tmp_path):
    with redis_by_tcp() as redis_url, Postgres() as server:
        settings = {
            "DATABASE_URL": server.url,
            "REDIS_URL": redis_url,
            "DATA_DIR": tmp_path / "data",
            "SECRET_KEY": "the same of both releases, and fifty characters long",
            "API_RATE": "100000/minute",
            "LEASE_SECONDS": 10,
            "SWEEP_SECONDS": 2,
        }
        with Fleet(tmp_path, **settings) as fleet:
            fleet.run(release, "manage.py", "migrate", "--verbosity=0")
            old_worker = fleet.start(release, *CLASSIFY, "--hostname=classify@old")
            old_web, old_url = fleet.web(release)
            eventually(lambda: requests.get(f"{old_url}/health/ready", timeout=40).ok, 120)
            token = fleet.run(release, "manage.py", "shell", "-c", TOKEN).splitlines()[-1]
            with Senders(mnist, old_url, token) as senders:
                time.sleep(5)
                fleet.run(ROOT, "manage.py", "migrate", "--verbosity=0")
                time.sleep(5)
                fleet.start(ROOT, *SWEEPS, "--hostname=train@new")
                beat = f"--pidfile={tmp_path / 'beat.pid'}"
                fleet.start(ROOT, *CELERY, "beat", beat)
                fleet.start(ROOT, *CLASSIFY, "--hostname=classify@new")
                time.sleep(15)
                fleet.end(old_worker)
                time.sleep(5)
                _, new_url = fleet.web(ROOT)
                senders.urls.append(new_url)
                time.sleep(5)
                senders.urls.remove(old_url)
                time.sleep(2)  # what is under way with the old one
                fleet.end(old_web)
                time.sleep(5)
            shell = Shell(settings)
            try:
                eventually(lambda: set(result(shell)["states"]) <= {"done", "failed"}, 120)
                found = result(shell)
            finally:
                shell.end()
    assert senders.refused == []
    assert senders.sent > 300
    assert found["states"] == {"done": senders.sent}
    assert found["stored"] == found["names"] == senders.sent
    assert (found["twice"], found["of_version"]) == (0, 0)
    assert found["right"] >= 0.98 * senders.sent
