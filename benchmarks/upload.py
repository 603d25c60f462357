"""What one upload costs, part by part: `python -m benchmarks.upload`.

Milliseconds of processor, for PNGs of 28x28 pixels: the parts of a classify worker's work, in this
process and on a database of its own, in batches of 1 and of 32. What the web server costs shows
under load: `python -m benchmarks.peers`.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

COUNT, ROUNDS = 320, 5


class Stopwatch:
    """Adds up the processor time of functions while it is entered."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self._kept = []

    def watch(self, name: str, owner: object, attribute: str):
        """Time each call of a function of a module or class, without what it calls of others."""
        kept = getattr(owner, attribute)

        def timed(*args, **kwargs):
            started = time.process_time()
            before = sum(self.seconds.values())
            try:
                return kept(*args, **kwargs)
            finally:
                inner = sum(self.seconds.values()) - before
                self.seconds[name] += time.process_time() - started - inner

        setattr(owner, attribute, timed)
        self._kept.append((owner, attribute, kept))

    def end(self):
        for owner, attribute, kept in reversed(self._kept):
            setattr(owner, attribute, kept)


def measure_worker(batch: int) -> dict[str, float]:
    """Return the milliseconds of each part of an upload in batches of this size."""
    from digits.tasks import serving, uploads
    from digits.uploads import queue
    from worker.images import finding
    from worker.reading import devices, engine, reading

    devices.spare_threads()
    serving.process.engine_and_version()
    rounds = []
    for _ in range(ROUNDS + 1):
        _fill()
        watch = Stopwatch()
        watch.watch("claim", queue, "claim")
        watch.watch("load the files", uploads, "_contents")
        watch.watch("decode", reading, "decode")
        watch.watch("find the ink", reading, "find_ink")
        watch.watch("normalise", finding, "normalize")
        watch.watch("network", engine.Engine, "predict")
        watch.watch("save", queue, "finish_all")
        watch.watch("notify", queue, "finished")
        watch.watch("prepare what is saved", uploads, "_Digits")
        watch.watch("read the rest", uploads, "work_on_uploads")
        while claimed := queue.claim(batch):
            uploads.work_on_uploads(claimed)
        watch.end()
        rounds.append({name: s * 1000 / COUNT for name, s in watch.seconds.items()})
    names = rounds[-1]
    return {name: round(statistics.median(r[name] for r in rounds[1:]), 3) for name in names}


def _fill():
    from django.core.files.storage import default_storage

    from digits.models import Upload
    from tests.pictures import mnist_png
    from worker.files.datasets import load_mnist

    test = load_mnist("test")
    files = [("one.png", mnist_png(test, row)) for row in range(COUNT)]
    made = []
    for name in default_storage.save_all(files):
        upload = Upload(name="one.png", source="api")
        upload.file.name = name
        made.append(upload)
    Upload.objects.bulk_create(made)


def in_a_database_of_its_own(work: Callable[[], dict]) -> dict:
    """Run something on an installation in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
        os.environ.setdefault("CONVERTED_DIR", str(Path.home() / ".cache" / "digits"))
        os.environ.setdefault("LOG_LEVEL", "CRITICAL")
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        return work()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = in_a_database_of_its_own(lambda: {size: measure_worker(size) for size in (1, 32)})
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'ms of processor an upload':30}{'alone':>8}{'of 32':>8}")
    for name in found[1]:
        print(f"{name:30}{found[1][name]:8.3f}{found[32][name]:8.3f}")
    print(f"{'the worker':30}{sum(found[1].values()):8.3f}{sum(found[32].values()):8.3f}")


if __name__ == "__main__":
    main()
