"""How fast the engine reads, and what a large photo costs: `python -m benchmarks.speed`.

Figures of one run on one machine; compare ratios, since machines are shared.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

ROUNDS = 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("part", nargs="?", choices=PARTS, help="one of the measurements")
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part]()))
        return
    # Each in a process of its own: the number of cores is set before TensorFlow starts.
    figures = {name: _measured(name) for name in PARTS}
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, own in figures.items():
            print(name, *(f"  {key}: {value}" for key, value in own.items()), sep="\n")


def _measured(name: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.speed", name]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def single() -> dict:
    """One digit at a time, on one core."""
    _use_cores(1)
    engine, images = _engine(), _images()
    times = [_timed(engine.predict, images[row : row + 1]) for row in range(ROUNDS)]
    return {
        "median_ms": round(statistics.median(times) * 1000, 2),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1] * 1000, 2),
    }


def batch() -> dict:
    """64 digits at once, on two cores."""
    _use_cores(2)
    engine, images = _engine(), _images()
    times = [_timed(engine.predict, images[:64]) for _ in range(ROUNDS)]
    return {"images_a_second": round(64 / statistics.median(times))}


def photo() -> dict:
    """A JPEG photo of 12 megapixels with lines of digits, the whole path, on two cores."""
    from worker.reading.reading import read_images

    # Made in another process: what that takes is no memory of the reading.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
        data, small = maker.submit(_photo).result()
    _use_cores(2)
    engine = _engine()
    read_images(engine, [small])
    before = _peak_mib()
    times = [_timed(read_images, engine, [data]) for _ in range(9)]
    return {
        "median_s": round(statistics.median(times), 3),
        "more_mib_at_peak": round(_peak_mib() - before),
        "file_mb": round(len(data) / 1e6, 1),
    }


def _photo() -> tuple[bytes, bytes]:
    """Return a hard page as a noisy JPEG of 4000x3000 pixels, and as it was made, as a PNG."""
    import cv2

    from benchmarks.scenes import hard_page
    from worker.files.datasets import load_mnist

    rng = np.random.default_rng(5)
    scene = hard_page(load_mnist("test"), rng)
    page = cv2.resize(scene.image, (4000, 3000), interpolation=cv2.INTER_CUBIC)
    page = np.clip(page + rng.normal(0, 4, page.shape), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return encoded.tobytes(), cv2.imencode(".png", scene.image)[1].tobytes()


def _use_cores(count: int):
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)


def _engine():
    from worker.reading import devices

    devices.load_backend()
    from worker.reading.engine import Engine

    return Engine()


def _images() -> np.ndarray:
    from worker.files.datasets import load_mnist

    return load_mnist("test").images[:256]


def _timed(function, *arguments) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS = {"single": single, "batch": batch, "photo": photo}


if __name__ == "__main__":
    main()
