"""What one upload waits while a site has other work: `python -m benchmarks.beside`.

A whole site is started in a temporary folder. Single uploads are sent to /mnist/classify one after
the other: with nothing beside them, during a bulk job of 28,000 rows, and during a training. Then
one is sent from another address while 5,000 of one sender wait.
"""

import argparse
import json
import os
import re
import signal
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from benchmarks.batches import ROWS, Program, kaggle_table
from tests.pictures import mnist_png
from tests.site import Site, eventually
from worker.files.datasets import load_mnist

TRAINING = {"start": "active", "architecture": "cnn", "epochs": "200", "forced": "on"}
MANY, SENDERS = 5000, 40
QUEUED = "from digits.models import Upload; print(Upload.objects.filter(status='queued').count())"


class Sender:
    """A program at an address of this machine, with a connection that stays open."""

    def __init__(self, site: Site, address: str = "127.0.0.1"):
        self.url = f"{site.url}/mnist/classify"
        self.session = requests.Session()
        self.session.mount("http://", _From(address))

    def seconds(self, image: bytes) -> float:
        """Send an image, and wait until it is read."""
        started = time.monotonic()
        answer = self.session.post(self.url, files={"file": ("one.png", image)}, timeout=60)
        if answer.status_code != 200:
            raise RuntimeError(f"expected a reading, received {answer.status_code}")
        return time.monotonic() - started


class _From(HTTPAdapter):
    """Connects from one address."""

    def __init__(self, address: str):
        self.address = address
        super().__init__(pool_maxsize=SENDERS)

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(
            *args,
            source_address=(self.address, 0),
            socket_options=HTTPConnection.default_socket_options,
            **kwargs,
        )


def measure(count: int) -> dict:
    """Return what `count` uploads take in each case."""
    test = load_mnist("test")
    images = [mnist_png(test, row) for row in range(count)]
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder) / "site") as site:
        sender = Sender(site)
        for image in images[:20]:
            sender.seconds(image)
        found = {"alone": _figures([sender.seconds(image) for image in images])}
        found["beside_bulk"] = _beside_bulk(site, sender, images)
        found["beside_training"] = _beside_training(site, sender, images)
        found["behind_many"] = _behind_many(site, images)
    for name in ("beside_bulk", "beside_training"):
        ratio = found[name]["median_ms"] / found["alone"]["median_ms"]
        found[name]["ratio_of_medians"] = round(ratio, 2)
    return found


def _beside_bulk(site: Site, sender: Sender, images: list[bytes]) -> dict:
    program = Program(site)
    job = program.send(kaggle_table(ROWS)[0])
    eventually(lambda: program.look(job)["done"])
    times = []
    for image in images:
        times.append(sender.seconds(image))
        if len(times) % 50 == 0 and program.ended(job):
            break
    figures = _figures(times)
    ended = program.results(job) and program.look(job)
    return figures | {"bulk_rows": ended["done"]}


def _beside_training(site: Site, sender: Sender, images: list[bytes]) -> dict:
    staff = site.visitor(sign_in=True)
    staff.get("/training/new")
    run = staff.post("/training/new", **TRAINING).url.removeprefix(site.url)
    part = {"HX-Request": "true"}
    eventually(lambda: re.search(r"step [1-9]", staff.get(run, headers=part).text), 120)
    figures = _figures([sender.seconds(image) for image in images])
    if "step" not in staff.get(run, headers=part).text:
        raise RuntimeError("expected the training to go on to the end of the measurement")
    staff.post(f"{run}cancel")
    eventually(lambda: "step" not in staff.get(run, headers=part).text)
    return figures


def _behind_many(site: Site, images: list[bytes]) -> dict:
    """Queue many uploads of one sender while nobody reads, and send one from another address."""
    stopped = [next(iter(site.processes("queues=classify"))), site.reader()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    visitor = site.visitor()
    visitor.get("/")
    token = visitor.token

    def send(number: int) -> None:
        files = [("file", (f"{n}.png", images[n % len(images)])) for n in range(100)]
        visitor.session.post(site.url, data=token, files=files, timeout=600).raise_for_status()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(MANY // 100)))
    waiting = int(site.query(QUEUED))
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    seconds = Sender(site, "127.0.0.2").seconds(images[0])
    left = int(site.query(QUEUED))
    return {"waiting": waiting, "seconds": round(seconds, 3), "left_after_it": left}


def _figures(seconds: list[float]) -> dict:
    ranked = sorted(seconds)
    return {
        "uploads": len(ranked),
        "median_ms": round(statistics.median(ranked) * 1000, 1),
        "p95_ms": round(ranked[round(0.95 * (len(ranked) - 1))] * 1000, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--uploads", type=int, default=400)
    print(json.dumps(measure(parser.parse_args().uploads), indent=2))


if __name__ == "__main__":
    main()
