"""A backup of a site that goes on to read, store and delete; restored, it reads what waited."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest
import requests

from benchmarks.soak import TOKEN
from tests.buckets import KEYS, Buckets
from tests.pictures import mnist_png, noisy_page
from tests.postgres import MISSING, Postgres, has_postgresql
from tests.site import Site, eventually, run_manage

READINGS = """
import hashlib, json
from digits.models import Upload
def sha(file):
    with file.open("rb") as stored:
        return hashlib.sha256(stored.read()).hexdigest()
print(json.dumps({one.pk: [one.name, one.reading, sha(one.file)]
                  for one in Upload.objects.filter(status="done")}))
"""
WAITING = """
from digits.models import Upload
print(Upload.objects.unfinished().count())
"""
VERSION = "from digits.models import ModelVersion; print(ModelVersion.active().sha256)"


class Load:
    """Programs that send small and large images, and delete each fifth, until this is left."""

    def __init__(self, site, mnist):
        self.url, self.mnist = f"{site.url}/api/v1/uploads/", mnist
        self.bearer = {"Authorization": f"Bearer {site.query(TOKEN)}"}
        self.numbers, self.stored, self.deleted = count(), [], []
        self._ends = threading.Event()

    def __enter__(self):
        self._pool = ThreadPoolExecutor(4)
        self._running = [self._pool.submit(self._send) for _ in range(4)]
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()

    def _send(self):
        while not self._ends.is_set():
            number = next(self.numbers)
            index = number % 1000
            data = (noisy_page if number % 3 == 0 else mnist_png)(self.mnist, index)
            file = {"file": (f"{number}.png", data)}
            answer = requests.post(self.url, files=file, headers=self.bearer, timeout=60)
            assert answer.status_code in (201, 202), answer.text  # 201: it is read already
            key = answer.json()["id"]
            self.stored.append(key)
            if number % 5 == 0:
                answer = requests.delete(f"{self.url}{key}/", headers=self.bearer, timeout=60)
                assert answer.status_code in (204, 409), answer.text
                if answer.status_code == 204:
                    self.deleted.append(key)


@pytest.fixture(params=["sqlite and a disk", "postgresql and a bucket"])
def places(request, tmp_path):
    """The settings of an installation, and those of an empty one of its kind."""
    if request.param == "sqlite and a disk":
        yield {}, {}
        return
    if not has_postgresql():
        pytest.skip(MISSING)
    with Postgres() as server, Buckets() as first, Buckets() as second:
        with psycopg.connect(server.url, autocommit=True) as session:
            session.execute("CREATE DATABASE restored")
        restored = f"{server.url.removesuffix('/postgres')}/restored"
        yield (
            {"DATABASE_URL": server.url, "MEDIA_URL": first.url} | KEYS,
            {"DATABASE_URL": restored, "MEDIA_URL": second.url} | KEYS,
        )


def test_a_backup_under_load_is_restored_into_an_empty_place(places, tmp_path, mnist):
    at_first, then = places
    with Site(tmp_path / "first", **at_first) as site:
        with Load(site, mnist) as load:
            eventually(lambda: len(load.deleted) > 10, 120)
            before, deleted_before = set(load.stored), set(load.deleted)
            done = run_manage(["backup", tmp_path / "backup"], site.settings)
            assert done.returncode == 0, done.stderr
            time.sleep(1)
        assert "gone from the storage" not in done.stderr
        eventually(lambda: site.query(WAITING) == "0", 120, every=1)
        expected, version = json.loads(site.query(READINGS)), site.query(VERSION)

    new = Site(tmp_path / "new", **then)
    restored = run_manage(["restore", tmp_path / "backup"], new.settings)
    assert restored.returncode == 0, restored.stderr
    with new:
        eventually(lambda: new.query(WAITING) == "0", 120, every=1)
        found = json.loads(new.query(READINGS))
        assert new.query(VERSION) == version
        checked = run_manage(["check_files"], new.settings)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    keys = set(map(int, found))
    assert before - set(load.deleted) <= keys
    assert not keys & deleted_before
    assert {key: found[key] for key in found if key in expected} == {
        key: expected[key] for key in expected if key in found
    }
    print(f"{len(before)} uploads before the backup, {len(load.stored)} in all; {restored.stdout}")
