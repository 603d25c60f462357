"""How fast pages are with 100,000 uploads: `python -m benchmarks.history`.

Makes the rows in a database of its own, which is gone afterwards: of SQLite, or on the server that
DATABASE_URL names. An account has 100,000 uploads, others have a tenth of that; staff sees all.
Prints for each page the medians of the server's time and of the processor time in it, which other
work on the machine does not lengthen, and the number of queries.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta

from benchmarks.rows import label_the_least_sure, make_rows

TIMES = 21
PAGES = {
    "first page": "/uploads/",
    "page 1000": "/uploads/?page=1000",
    "reads 42": "/uploads/?reading=42",
    "reads 7": "/uploads/?reading=7",
    "reads 42, page 2": "/uploads/?reading=42&page=2",
    "failed": "/uploads/?state=failed",
    "guessed": "/uploads/?sure=3",
    "corrected": "/uploads/?verdict=corrected",
    "by API, version 2": "/uploads/?source=api&version=2",
    "all days": "/uploads/?since=2020-01-01&until={later}",
    "read by version 1": "/uploads/?version=1",
    "three days": "/uploads/?since={day}&until={later}",
    "nothing found": "/uploads/?source=api&state=failed&sure=0",
}
STAFF = {"dashboard": "/dashboard/", "admin": "/admin/"}


def measure(client, url: str) -> tuple[float, float, int]:
    """Ask for a page; give its median time and processor time in milliseconds, and its queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    times, busy = [], []
    for _ in range(TIMES):
        started, begun = time.perf_counter(), time.process_time()
        answer = client.get(url)
        times.append((time.perf_counter() - started) * 1000)
        busy.append((time.process_time() - begun) * 1000)
        assert answer.status_code == 200, (url, answer.status_code)
    with CaptureQueriesContext(connection) as queries:
        client.get(url)
    return statistics.median(times), statistics.median(busy), len(queries)


def signed_in(account, staff) -> dict:
    """Return clients of the account and of the staff, by whose they are."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    clients = {who: Client(headers={"host": "localhost"}) for who in ("account", "staff")}
    for client, user in zip(clients.values(), (account, staff), strict=True):
        client.force_login(get_user_model().objects.get(pk=user.pk))
    return clients


def report(client, who: str, pages: dict[str, str]):
    for name, url in pages.items():
        median, busy, queries = measure(client, url)
        print(f"{who:8} {name:20} {median:7.1f} ms {busy:7.1f} ms {queries:3}", flush=True)


def run(count: int):
    from django.utils import timezone

    account, staff = make_rows(count)
    day = timezone.now().date() - timedelta(days=30)
    days = {"day": day, "later": day + timedelta(days=2)}
    pages = {name: url.format(**days) for name, url in PAGES.items()}
    clients = signed_in(account, staff)
    print(f"{'who':8} {'page':20} {'time':>10} {'processor':>10} queries")
    for who, client in clients.items():
        report(client, who, pages | {"review": "/review/"})
    report(clients["staff"], "staff", STAFF)
    label_the_least_sure(count // 2)
    for who, client in clients.items():
        report(client, who, {f"review, {count // 2} done": "/review/"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--uploads", type=int, default=100_000, help="of the account")
    options = parser.parse_args()
    on_a_database_of_its_own(lambda: run(options.uploads))


def on_a_database_of_its_own(work: Callable[[], object]):
    """Run something on a database that is gone afterwards, with files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="digits-benchmark-") as folder:
        os.environ.update(
            DATA_DIR=folder, LOG_LEVEL="ERROR", DJANGO_SETTINGS_MODULE="webapp.settings"
        )
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection
        from django.test.utils import override_settings

        plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        settings.DATABASES["default"].setdefault("TEST", {})
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = f"{folder}/benchmark.sqlite3"
        with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
            connection.creation.create_test_db(verbosity=0, autoclobber=True)
            try:
                work()
            finally:
                connection.creation.destroy_test_db(":none:", verbosity=0)


if __name__ == "__main__":
    main()
