"""What uploads and pages cost as the database grows: `python -m benchmarks.growth`.

An account has 1,000 uploads, then 100,000 and 1,000,000, and others a tenth of that besides. Even
of 1,000 enough failed to fill a page. At each size it prints what an upload takes, from its
submission to its stored reading, and what each list takes, with the ratios to those at 1,000: the
median, and for the upload the least of three medians. On SQLite it is the time of the processor,
which other work on the machine does not lengthen. On the server that DATABASE_URL names it is the
time that passes, since that server's processor is not seen here. A million uploads take some
minutes and 3 GB on the disk.
"""

import argparse
import statistics
import time
from itertools import pairwise

from benchmarks.history import measure, on_a_database_of_its_own, signed_in
from benchmarks.rows import add_rows, make_rows

SIZES = "1000,100000,1000000"
UPLOADS = 200
ROUNDS = 3
PAGES = {
    "history": "/uploads/",
    "history, a reading": "/uploads/?reading=42",
    "history, failed": "/uploads/?state=failed",
    "history, corrected": "/uploads/?verdict=corrected",
    "review": "/review/",
    "API": "/api/v1/uploads/",
    "API, failed": "/api/v1/uploads/?status=failed",
    "API, digits": "/api/v1/digits/",
    "API, review": "/api/v1/digits/?review=1",
    "models": "/models/",
}
STAFF = {
    "dashboard": "/dashboard/",
    "admin": "/admin/",
    "admin's list": "/admin/digits/upload/",
    "admin, failed": "/admin/digits/upload/?status=failed",
    "admin, digits": "/admin/digits/digit/",
    "admin, predictions": "/admin/digits/prediction/",
}


def upload_milliseconds(account) -> tuple[float, float]:
    """Send uploads one by one and read each; give the median of its time and processor time."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from digits.accounts.owners import Owner
    from digits.tasks.uploads import work_on_uploads
    from digits.uploads import queue
    from digits.uploads.submission import submit
    from tests.pictures import mnist_png
    from worker.files.datasets import load_mnist

    test = load_mnist("test")
    times, busy = [], []
    for row in range(UPLOADS):
        file = SimpleUploadedFile("one.png", mnist_png(test, row))
        started, begun = time.perf_counter(), time.process_time()
        submit(file, Owner(account, {}), "api")
        work_on_uploads(queue.claim())
        times.append((time.perf_counter() - started) * 1000)
        busy.append((time.process_time() - begun) * 1000)
    return statistics.median(times), statistics.median(busy)


def figures(account, clients) -> dict[str, float]:
    """Return the milliseconds of each thing by its name."""
    from django.db import connection

    from digits.monitoring import tallies

    for _ in range(2):  # one sweep begins tallies, the next one counts
        tallies.settle()
    kind = 1 if connection.vendor == "sqlite" else 0
    upload_milliseconds(account)  # warms up
    found = {"upload": min(upload_milliseconds(account)[kind] for _ in range(ROUNDS))}
    for who, client in clients.items():
        for name, url in (PAGES if who == "account" else PAGES | STAFF).items():
            found[f"{name}, {who}"] = measure(client, url)[kind]
    return found


def run(sizes: list[int]):
    from digits.management.commands.up import embedded_redis
    from digits.tasks import serving

    redis = embedded_redis()
    redis.start()
    try:
        account, staff = make_rows(sizes[0])
        clients = signed_in(account, staff)
        serving.process.engine_and_version()
        first = figures(account, clients)
        print(f"{'milliseconds':30}{sizes[0]:>10,}", flush=True)
        for name, own in first.items():
            print(f"{name:30}{own:10.2f}")
        for before, size in pairwise(sizes):
            add_rows(account, before, size)
            print(f"{'and the ratio':30}{size:>10,}", flush=True)
            for name, own in figures(account, clients).items():
                print(f"{name:30}{own:10.2f}{own / first[name]:8.2f}", flush=True)
    finally:
        redis.process.terminate()
        redis.process.wait(10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", default=SIZES)
    options = parser.parse_args()
    on_a_database_of_its_own(lambda: run([int(size) for size in options.sizes.split(",")]))


if __name__ == "__main__":
    main()
