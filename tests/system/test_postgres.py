"""The queue on PostgreSQL, where its server's binaries are installed."""

import re
import subprocess
import sys

import pytest

from tests.postgres import MISSING, Postgres, has_postgresql
from tests.site import ROOT, Site, environment, load
from tests.system.test_reading import classify

pytestmark = pytest.mark.skipif(not has_postgresql(), reason=MISSING)


@pytest.fixture(scope="module")
def postgres_url():
    with Postgres() as server:
        yield server.url


def test_the_queue_keeps_its_promises_on_postgresql(postgres_url):
    rooms = ("queue", "api", "audit", "uploads", "batches", "learning", "monitoring", "views")
    files = [*(f"tests/{room}" for room in rooms), "tests/versions/test_registry.py"]
    files.append("--ignore=tests/views/test_scripts.py")  # about files, and slow
    files.append("--ignore=tests/uploads/test_turning.py")  # about what is read, and slow
    changes = {"DATABASE_URL": postgres_url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=300 * load(),
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 40


def test_a_whole_site_runs_on_postgresql(postgres_url, tmp_path, seven):
    with Site(tmp_path / "data", DATABASE_URL=postgres_url) as site:
        assert classify(site, seven) == (200, "Predicted number for input image: 7")
        assert not (site.data_dir / "db.sqlite3").exists()
