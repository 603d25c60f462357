"""Bulk jobs beside the bare arithmetic of the model: `python -m benchmarks.bulk`.

A CSV and an IDX file of 28,000 images of MNIST, and a ZIP of 10,000 PNGs, are sent through the API
of an installation of its own; each row is stored with its probabilities. The rate is from the
moment the job is stored until it has ended. Beside each round, TensorFlow reads the same images in
a process of its own, by `predict_on_batch` in batches of 64, and does nothing else.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.batches import ROWS, Program, kaggle_table
from tests.bulks import idx, zip_of
from tests.pictures import mnist_png
from tests.site import Site
from worker.files.datasets import Dataset, load_mnist
from worker.reading.bundle import BUNDLED_MODEL

FILES, BATCH = 10_000, 64


def measure(rounds: int, rows: int) -> dict:
    """Return the rates in images a second, medians of the rounds, and their shares of the bare
    model's."""
    test, train = load_mnist("test"), load_mnist("train")
    images = np.concatenate([test.images, train.images])[:rows]
    truths = np.concatenate([test.labels, train.labels])[:rows]
    some = Dataset(images[:FILES], truths[:FILES])
    pngs = {f"{row}.png": mnist_png(some, row) for row in range(len(some))}
    files = {
        "CSV": ("test.csv", kaggle_table(rows)[0]),
        "IDX": ("t10k-images-idx3-ubyte", idx(images)),
        "ZIP": ("scans.zip", zip_of(pngs)),
    }
    rates: dict[str, list[float]] = {"TensorFlow": []} | {name: [] for name in files}
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder)) as site:
        program = Program(site)
        for _ in range(rounds):
            rates["TensorFlow"].append(_bare(rows))
            for name, file in files.items():
                count = len(some) if name == "ZIP" else rows
                rates[name].append(count / _seconds(program, *file, truths[:count]))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    bare = medians["TensorFlow"]
    return {
        name: {"images_a_second": round(rate), "of_TensorFlow": round(rate / bare, 2)}
        for name, rate in medians.items()
    }


def _seconds(program: Program, name: str, data: bytes, truths: np.ndarray) -> float:
    """Return how long a job takes that reads as many as the model can."""
    job = program.send(data, name)
    found = program.results(job)
    read = [row.get("Label", row.get("reading")) for row in found]
    right = np.mean([label == str(truth) for label, truth in zip(read, truths, strict=True)])
    if right < 0.99:
        raise RuntimeError(f"expected 99 % of {name} to be read right, received {right:.1%}")
    begun, ended = (program.look(job)[key] for key in ("created_at", "finished_at"))
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


def _bare(rows: int) -> float:
    """Return the images a second of TensorFlow alone, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.bulk", "--bare", "--rows", str(rows)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _measure_bare(rows: int) -> float:
    from worker.reading import devices

    devices.pin(0, [])
    devices.load_backend()
    from worker.reading.keras_models import load_model

    model = load_model(BUNDLED_MODEL)
    images = load_mnist("train").images[:rows, ..., None].astype(np.float32) / np.float32(255)
    model.predict_on_batch(images[:BATCH])
    started = time.perf_counter()
    for start in range(0, rows - BATCH + 1, BATCH):
        model.predict_on_batch(images[start : start + BATCH])
    return rows // BATCH * BATCH / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--bare", action="store_true", help="print TensorFlow's rate and end")
    options = parser.parse_args()
    if options.bare:
        print(_measure_bare(options.rows))
        return
    print(json.dumps(measure(options.rounds, options.rows), indent=2))


if __name__ == "__main__":
    main()
