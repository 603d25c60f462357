"""Two machines: each has its own disk, and they share PostgreSQL, Redis and object storage."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from benchmarks.batches import Program
from tests.buckets import KEYS, Buckets
from tests.bulks import zip_of
from tests.pictures import mnist_png, noisy_page
from tests.postgres import MISSING, Postgres, has_postgresql
from tests.redis_server import redis_by_tcp
from tests.roles import in_view
from tests.site import ROOT, Site, die_with_parent, environment, eventually, load

UPLOADS, LARGE, AT_ONCE = 2000, 4, 8  # each fourth is too large for the database
WORDS = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO"]
COUNTS = """
from django.db.models import Count
from digits.models import Upload
print(dict(Upload.objects.values_list("status").annotate(Count("id"))))
"""
READINGS = """
import json
from digits.models import Upload
print(json.dumps({u.name: u.reading for u in Upload.objects.filter(name__startswith="node-")}))
"""
# How many parts are held under leases, and how often one was tried.
BULK = """
import json
from digits.models import BatchPart
parts = BatchPart.objects.all()
print(json.dumps([parts.exclude(lease=None).count(), max([one.attempts for one in parts] or [0])]))
"""
# How many messages of uploads each worker has taken.
TAKEN = """
import json
from webapp.celery import app
stats = app.control.inspect(timeout=10).stats()
print(json.dumps({name: one["total"].get("digits.classify", 0) for name, one in stats.items()
                  if name.startswith("classify@")}))
"""


class Node:
    """Another machine: a classify worker on its own disk, which cannot see that of the first.

    It is of the class of nodes with GPUs, and its GPU cannot be used: so it reads on the processor.
    """

    def __init__(self, folder: Path, of: Site) -> None:
        folder.mkdir()
        self.folder, self.of, self.log_path = folder, of, folder / "log"

    def __enter__(self) -> "Node":
        settings = self.of.settings | {
            "DATA_DIR": self.folder,
            "CONVERTED_DIR": self.folder / "converted",
            "GPUS": "0",
            "ENGINE": "openvino",
        }
        command = [sys.executable, "-m", "celery", "--quiet", "--app=webapp", "worker", *WORDS]
        command += ["--queues=classify", "--concurrency=1", "--hostname=classify@second"]
        # In its view of the file system, an empty one lies over the disk of the first.
        hidden = f"mount -t tmpfs none {shlex.quote(str(self.of.data_dir))}"
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                in_view([hidden], command),
                cwd=ROOT,
                env=environment(**settings),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        return self

    def __exit__(self, *_) -> None:
        self.drain()

    def drain(self) -> int:
        """Let it finish and leave; return its exit status."""
        self.process.terminate()
        return self.process.wait(60 * load())

    def log(self) -> str:
        return self.log_path.read_text()


@pytest.fixture(scope="module")
def buckets():
    with Buckets() as running:
        yield running


@pytest.fixture(scope="module")
def first(tmp_path_factory, buckets):
    """The first machine: web server and workers."""
    if not has_postgresql():
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("nodes")
    with redis_by_tcp() as redis_url, Postgres() as server:
        settings = {
            "DATABASE_URL": server.url,
            "REDIS_URL": redis_url,
            "MEDIA_URL": buckets.url,
            "SECRET_KEY": "the same on both, and fifty characters long or so",
            "CONVERTED_DIR": folder / "converted",
            "CLASSIFY_PROCESSES": 1,
            "BULK_HELPERS": 0,  # each node holds one part at a time
            "QUOTA": "waiting=100000,day=1000000",
            **KEYS,
        }
        with Site(folder / "a", **settings) as site:
            yield site


@pytest.fixture(scope="module")
def second(first):
    with Node(first.data_dir.parent / "b", first) as node:
        eventually(lambda: len(signs(first)) == 2, 120)
        yield node


def signs(site: Site) -> list[dict]:
    """The signs of life of all processes that read."""
    answer = requests.get(f"{site.url}/health/ready", timeout=40)
    return answer.json()["worker"]["processes"] if answer.ok else []


def test_uploads_and_a_batch_are_read_by_both_while_the_storage_restarts(
    first, second, buckets, mnist
):
    program, uploads = Program(first), f"{first.url}/api/v1/uploads/"
    scans = {f"{index}.png": mnist_png(mnist, index) for index in range(1000)}
    job = program.send(zip_of(scans), "scans.zip")
    refused: list[int] = []

    def send(index: int) -> None:
        data = noisy_page(mnist, index) if index % LARGE == 0 else mnist_png(mnist, index)
        file = {"file": (f"node-{index}.png", data)}
        while not (answer := program.session.post(uploads, files=file, timeout=90)).ok:
            assert answer.status_code in (429, 503), answer.text
            refused.append(index)
            time.sleep(1)

    with ThreadPoolExecutor(AT_ONCE) as senders:
        sent = senders.map(send, range(UPLOADS))
        eventually(lambda: len(buckets.names()) > UPLOADS / LARGE / 3, 120)
        buckets.stop()
        time.sleep(3)
        buckets.start()
        assert len(list(sent)) == UPLOADS
    assert len(program.results(job)) == 1000
    eventually(lambda: first.query(COUNTS) == f"{{'done': {UPLOADS}}}", 240, every=1)
    found = json.loads(first.query(READINGS))
    right = sum(text == str(mnist.labels[int(name[5:-4])]) for name, text in found.items())
    assert len(found) == UPLOADS
    assert right > 0.97 * UPLOADS
    taken = json.loads(first.query(TAKEN))
    print(f"messages taken: {taken}; uploads refused for a while: {len(refused)}")
    assert len(taken) == 2
    assert min(taken.values()) > 0
    assert "Traceback" not in second.log()


def test_the_second_reads_alone_what_was_sent_to_the_first(first, second, mnist):
    (reader,) = {sign["pid"] for sign in signs(first)} & set(first.processes())
    visitor = first.visitor()
    os.kill(reader, signal.SIGSTOP)
    try:
        pages = [visitor.send(noisy_page(mnist, index), "alone.png").url for index in range(5)]
        for index, page in enumerate(pages):
            answer = visitor.get(page.removeprefix(first.url) + "?wait=20").text
            assert f'<p class="answer">{mnist.labels[index]}</p>' in answer
    finally:
        os.kill(reader, signal.SIGCONT)


def test_neither_keeps_files_on_its_disk(first, second, buckets):
    assert not (first.data_dir / "media").exists()
    own = {path.name for path in second.folder.iterdir()}
    assert own <= {"log", "converted", "static"}
    assert any("/uploads/" in name for name in buckets.names())
    assert any("/batches/" in name for name in buckets.names())


def test_their_classes_differ(first, second):
    devices = sorted(sign["device"] for sign in signs(first))
    assert devices == ["CPU", "CPU (GPU 0 cannot be used)"]


def test_a_node_that_is_drained_finishes_and_takes_nothing_more(first, second, mnist):
    """Both read a bulk job; one of them leaves, and no part is read twice or waits for a lease."""
    program = Program(first)
    job = program.send(zip_of({f"{n}.png": mnist_png(mnist, n) for n in range(4000)}), "more.zip")
    eventually(lambda: json.loads(first.query(BULK))[0] >= 2, 60, every=0.05)
    started = time.monotonic()
    assert second.drain() == 0
    took = time.monotonic() - started
    held, attempts = json.loads(first.query(BULK))
    assert (held <= 1, attempts <= 1) == (True, True)
    assert len(program.results(job)) == 4000
    assert "Traceback" not in second.log()
    assert len(signs(first)) == 1
    print(f"drained in {took:.1f} s")
