"""What a training costs those who upload meanwhile: `python -m benchmarks.beside_training`.

A whole site is started in a temporary folder; uploads are sent one after the other, first with
nothing beside them and then while a training runs. An upload's time is from sending its file until
its reading is there.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from tests.pictures import mnist_png
from tests.site import Site, eventually
from worker.files.datasets import load_mnist

SETTINGS = {"start": "active", "architecture": "cnn", "epochs": "200", "forced": "on"}


def upload_seconds(visitor, image: bytes) -> float:
    """Send an image, and wait until it is read."""
    started = time.monotonic()
    address = visitor.send(image).url.removeprefix(visitor.site.url)
    page = visitor.get(f"{address}?wait=20", headers={"HX-Request": "true"})
    if "by model version" not in page.text:
        raise RuntimeError(f"expected a reading within 20 s, received {page.status_code}")
    return time.monotonic() - started


def measure(count: int) -> dict:
    """Return the median and 95th percentile of an upload's seconds, without and with a training.

    Args:
        count: how many uploads each time.
    """
    test = load_mnist("test")
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder) / "site") as site:
        visitor, staff = site.visitor(), site.visitor(sign_in=True)
        for row in range(5):
            upload_seconds(visitor, mnist_png(test, row))
        alone = [upload_seconds(visitor, mnist_png(test, 100 + n)) for n in range(count)]
        staff.get("/training/new")
        run = staff.post("/training/new", **SETTINGS).url.removeprefix(site.url)
        part = {"HX-Request": "true"}
        eventually(lambda: re.search(r"step [1-9]", staff.get(run, headers=part).text), 120)
        beside = [upload_seconds(visitor, mnist_png(test, 500 + n)) for n in range(count)]
        if "step" not in staff.get(run, headers=part).text:
            raise RuntimeError("expected the training to go on to the end of the measurement")
        staff.post(f"{run}cancel")
    return {"alone": _figures(alone), "beside_training": _figures(beside)}


def _figures(seconds: list[float]) -> dict:
    ranked = sorted(seconds)
    return {
        "uploads": len(ranked),
        "median_ms": round(statistics.median(ranked) * 1000, 1),
        "p95_ms": round(ranked[round(0.95 * (len(ranked) - 1))] * 1000, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--uploads", type=int, default=200)
    found = measure(parser.parse_args().uploads)
    ratio = found["beside_training"]["median_ms"] / found["alone"]["median_ms"]
    print(json.dumps(found | {"ratio_of_medians": round(ratio, 2)}, indent=2))


if __name__ == "__main__":
    main()
