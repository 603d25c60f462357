"""A bulk job through the API of a running site, and by command: `python -m benchmarks.batches`.

Kaggle's `test.csv` has 28,000 rows without labels. One of that shape is made of MNIST's 10,000 test
images and the first 18,000 training images; it is sent through the API of an installation of its
own, and read by `manage.py predict`. Then a worker is killed with SIGKILL while it reads 10,000
rows: after each advance that it makes, up to three times. Answers are held against MNIST's
labels; the rate is from the first byte sent to the last byte of the results.
"""

import argparse
import csv
import io
import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import requests

from tests.site import Site, eventually, run_manage
from worker.files.datasets import load_mnist
from worker.files.tables import write_csv

ROWS, ROWS_UNDER_KILLS, KILLS = 28_000, 10_000, 3
MAKE_TOKEN = (
    "from digits.accounts import tokens; from django.contrib.auth import get_user_model;"
    "print(tokens.make(get_user_model().objects.get(username='admin'), 'benchmark')[1])"
)


class Program:
    """A program with a token, and the bulk jobs that it sends."""

    def __init__(self, site: Site):
        self.batches = f"{site.url}/api/v1/batches/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {site.query(MAKE_TOKEN)}"

    def send(self, data: bytes, name: str = "test.csv") -> str:
        """Send a file; gives where the job is."""
        answer = self.session.post(self.batches, files={"file": (name, data)}, timeout=60)
        answer.raise_for_status()
        return answer.headers["Location"]

    def look(self, job: str) -> dict:
        return self.session.get(job, timeout=60).json()

    def results(self, job: str, seconds: float = 500) -> list[dict]:
        """Wait for the end of a job, and give the rows of its results."""
        batch = eventually(lambda: self.ended(job), seconds, every=0.25)
        assert batch["status"] == "done", batch
        answer = self.session.get(f"{job}results.csv", timeout=60)
        return list(csv.DictReader(io.StringIO(answer.text)))

    def ended(self, job: str) -> dict | None:
        batch = self.look(job)
        return batch if batch["finished_at"] else None


def kaggle_table(rows: int) -> tuple[bytes, list[int]]:
    """Make a test.csv of so many rows, MNIST's test images first, and give the true digits."""
    test, train = load_mnist("test"), load_mnist("train")
    images = np.concatenate([test.images, train.images])[:rows]
    labels = np.concatenate([test.labels, train.labels])[:rows]
    file = io.BytesIO()
    write_csv(file, images)
    return file.getvalue(), labels.tolist()


def kill_while_it_reads(site: Site, program: Program, job: str, kills: int) -> int:
    """Kill the process that reads, once after each advance of the job; how often that was."""
    killed = 0
    while killed < kills and not program.ended(job):
        before, reader = program.look(job)["done"], site.reader()
        eventually(lambda b=before: program.look(job)["done"] > b or program.ended(job), 120)
        if not program.ended(job):
            os.kill(reader, signal.SIGKILL)
            killed += 1
            eventually(lambda r=reader: site.is_read_by_another(r), 120)
    return killed


def measure(site: Site, rows: int) -> dict:
    """Send, wait and download; then the same by command."""
    table, truth = kaggle_table(rows)
    program = Program(site)
    started = time.monotonic()
    found = program.results(program.send(table))
    seconds = time.monotonic() - started
    labels = [int(row["Label"]) for row in found]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test.csv").write_bytes(table)
        by_command = _by_command(Path(folder), site.settings)
    return {
        "rows": rows,
        "in_order": [int(row["ImageId"]) for row in found] == list(range(1, rows + 1)),
        "right": round(float(np.mean(np.array(labels) == truth)), 5),
        "right_of_test_images": round(float(np.mean((np.array(labels) == truth)[:10_000])), 5),
        "seconds": round(seconds, 1),
        "rows_a_second": round(rows / seconds),
        "same_by_command": by_command.pop("labels") == labels,
        "command": by_command,
    }


def _by_command(folder: Path, settings: dict) -> dict:
    words = ["predict", folder / "test.csv", "-o", folder / "submission.csv", "--json"]
    done = run_manage(words, settings)
    figures = json.loads(done.stdout)
    with open(folder / "submission.csv") as file:
        labels = [int(row["Label"]) for row in csv.DictReader(file)]
    seconds = figures["seconds"]
    return {"labels": labels, "seconds": seconds, "rows_a_second": round(len(labels) / seconds)}


def measure_under_kills(site: Site, rows: int, kills: int) -> dict:
    """Kill the worker while it reads; each row must be there once."""
    table, truth = kaggle_table(rows)
    program = Program(site)
    job = program.send(table)
    killed = kill_while_it_reads(site, program, job, kills)
    found = program.results(job)
    times = Counter(int(row["ImageId"]) for row in found)
    right = [int(row["Label"] or -1) == label for row, label in zip(found, truth, strict=True)]
    return {
        "rows": rows,
        "kills": killed,
        "once": sum(times[number] == 1 for number in range(1, rows + 1)),
        "doubled": sum(count > 1 for count in times.values()),
        "right": round(float(np.mean(right)), 5),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rows-under-kills", type=int, default=ROWS_UNDER_KILLS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder)) as site:
        _show("through the API", measure(site, options.rows), options.json)
        killed = measure_under_kills(site, options.rows_under_kills, KILLS)
        _show("under kills", killed, options.json)


def _show(name: str, figures: dict, as_json: bool):
    if as_json:
        print(json.dumps({name: figures}), flush=True)
    else:
        print(name, *(f"  {key}: {value}" for key, value in figures.items()), sep="\n", flush=True)


if __name__ == "__main__":
    main()
