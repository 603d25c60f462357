"""A site under steady load for an hour: `python -m benchmarks.soak`.

Ten uploads a second in all three ways (program, page, API) and a bulk job each minute. Resident
memory, open files and sockets of each process (medians of a minute) are compared ten minutes after
the start and in the last minute. Ends with exit status 1 where a process grew by more than 5 %,
files or sockets grew, an upload was lost or refused, or the log has a traceback.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import requests

from benchmarks.processes import files_of, name_of, resident_of
from tests.bulks import kaggle_csv
from tests.pictures import mnist_png
from tests.site import Site, eventually
from worker.files.datasets import load_mnist

RATE = 10  # uploads a second
ROWS = 500  # of each bulk job
SENDERS = 5
SAMPLE_SECONDS = 5.0
GROWTH = 1.05
MORE_FILES = 3  # open files that may be more in one minute than in another, as they come and go
UNFINISHED = (
    "from digits.models import Upload, Batch;"
    "print(Upload.objects.unfinished().count() + Batch.objects.unfinished().count())"
)
COUNTS = (
    "from django.db.models import Count; from digits.models import Upload, Batch; import json;"
    "print(json.dumps({'uploads': dict(Upload.objects.values_list('status').annotate(Count('id'))"
    ".order_by()), 'bulk': dict(Batch.objects.values_list('status').annotate(Count('id'))"
    ".order_by())}))"
)
TOKEN = (
    "from django.contrib.auth.models import User; from digits.accounts import tokens;"
    "print(tokens.make(User.objects.get(username='admin'), 'soak')[1])"
)


class Load:
    """Senders that together send RATE uploads a second until they are stopped."""

    def __init__(self, site: Site):
        self.site = site
        self.statuses: Counter[str] = Counter()
        self.bearer = {"Authorization": f"Bearer {site.query(TOKEN)}"}
        self.stopped = threading.Event()
        test = load_mnist("test")
        self.images = [mnist_png(test, row) for row in range(500)]
        self.table = kaggle_csv(test, ROWS)
        self.threads = [threading.Thread(target=self._send, args=(n,)) for n in range(SENDERS)]
        self.threads.append(threading.Thread(target=self._send_bulk))

    def __enter__(self) -> "Load":
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_) -> None:
        self.stopped.set()
        for one in self.threads:
            one.join()

    def _send(self, number: int) -> None:
        visitor, program = self.site.visitor(), requests.Session()
        count, next_at = number, time.monotonic()
        while not self.stopped.wait(max(0.0, next_at - time.monotonic())):
            next_at += SENDERS / RATE
            file = {"file": ("digit.png", self.images[count % len(self.images)])}
            way = ("program", "page", "api")[count % 3]
            try:
                if way == "program":
                    url = f"{self.site.url}/mnist/classify"
                    answer = program.post(url, files=file, timeout=40)
                elif way == "page":
                    answer = visitor.send(file["file"][1])
                else:
                    url = f"{self.site.url}/api/v1/uploads/?wait=5"
                    answer = program.post(url, files=file, headers=self.bearer, timeout=40)
                self.statuses[f"{way} {answer.status_code}"] += 1
            except requests.RequestException as error:
                self.statuses[f"{way} {type(error).__name__}"] += 1
            count += 1

    def _send_bulk(self) -> None:
        while not self.stopped.is_set():
            url, file = f"{self.site.url}/api/v1/batches/", {"file": ("rows.csv", self.table)}
            answer = requests.post(url, files=file, headers=self.bearer, timeout=60)
            self.statuses[f"bulk {answer.status_code}"] += 1
            self.stopped.wait(60)


def measure(seconds: float, settle: float) -> dict:
    """Return what was seen; settle: the seconds after which nothing grows any more."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Site(Path(folder) / "site", LEASE_SECONDS=40, SWEEP_SECONDS=10) as site,
    ):
        samples: dict[tuple[int, str], list[tuple[float, float, int, int]]] = defaultdict(list)
        with Load(site) as load:
            started = time.monotonic()
            while (now := time.monotonic() - started) < seconds:
                for pid, command in site.processes().items():
                    try:
                        taken = resident_of(pid), *files_of(pid)
                    except (OSError, ValueError):  # it has just ended
                        continue
                    samples[pid, name_of(command)].append((now, *taken))
                time.sleep(SAMPLE_SECONDS)
        eventually(lambda: site.query(UNFINISHED) == "0", 120)
        counts = json.loads(site.query(COUNTS))
        log = site.log()
    return {
        "minutes": round(seconds / 60, 1),
        "answers": dict(load.statuses),
        "stored": counts,
        "processes": _compared(samples, settle, seconds),
        "tracebacks": log.count("Traceback"),
    }


def _compared(samples: dict, settle: float, seconds: float) -> list[dict]:
    """Return each process that lived from `settle` to the end, with its first and last minute."""
    found = []
    for (_, name), taken in samples.items():
        first = [one for one in taken if settle <= one[0] < settle + 60]
        last = [one for one in taken if one[0] >= seconds - 60]
        if first and last:
            was, now = _medians(first), _medians(last)
            found.append(
                {
                    "name": name,
                    "mb": [round(was[1], 1), round(now[1], 1)],
                    "ratio": round(now[1] / was[1], 3),
                    "files": [was[2], now[2]],
                    "sockets": [was[3], now[3]],
                }
            )
    return sorted(found, key=lambda one: one["name"])


def _medians(taken: list[tuple[float, float, int, int]]) -> list[float]:
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def faults(seen: dict) -> list[str]:
    """Return what is not as it should be."""
    found = []
    for one in seen["processes"]:
        if one["ratio"] > GROWTH:
            found.append(f"{one['name']} grew from {one['mb'][0]} to {one['mb'][1]} MB")
        found += [
            f"{one['name']} has {one[kind][1]} {kind}, and had {one[kind][0]}"
            for kind in ("files", "sockets")
            if one[kind][1] > one[kind][0] + MORE_FILES
        ]
    refused = {key: n for key, n in seen["answers"].items() if key[-3:] not in ("200", "201")}
    if refused:
        found.append(f"answers that were none: {refused}")
    accepted = sum(n for key, n in seen["answers"].items() if not key.startswith("bulk"))
    if seen["stored"]["uploads"].get("done", 0) != accepted:
        found.append(f"{accepted} uploads were answered, {seen['stored']['uploads']} are stored")
    if set(seen["stored"]["bulk"]) != {"done"}:
        found.append(f"bulk jobs: {seen['stored']['bulk']}")
    if seen["tracebacks"]:
        found.append(f"{seen['tracebacks']} tracebacks in the log")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--settle", type=float, default=10, help="minutes")
    words = parser.parse_args()
    seen = measure(60 * words.minutes, 60 * words.settle)
    seen["faults"] = faults(seen)
    print(json.dumps(seen, indent=2))
    sys.exit(bool(seen["faults"]))


if __name__ == "__main__":
    main()
