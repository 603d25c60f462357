"""The queue on PostgreSQL, where its server's binaries are installed."""

import getpass
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.site import ROOT, Site, environment, free_port
from tests.system.test_reading import classify

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
BIN = BINARIES[-1] if BINARIES else Path(shutil.which("initdb") or "/nowhere/initdb").parent


def has_postgresql() -> bool:
    """PostgreSQL refuses to run as root; there it needs its own user."""
    if not (BIN / "initdb").exists():
        return False
    return os.getuid() != 0 or any(user.pw_name == "postgres" for user in pwd.getpwall())


pytestmark = pytest.mark.skipif(
    not has_postgresql(), reason="PostgreSQL's server is not installed here"
)


@pytest.fixture(scope="module")
def postgres_url():
    """A server of its own, on a folder that its user can reach."""
    user = "postgres" if os.getuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="digits-postgres-"))
    shutil.chown(folder, user)
    port = free_port()

    def run(*words):
        subprocess.run(words, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run(BIN / "initdb", "--pgdata", folder / "db", "--auth=trust", f"--username={user}")
    control = [BIN / "pg_ctl", "--pgdata", folder / "db", "--wait", "--log", folder / "log"]
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    run(*control, "-o", options, "start")
    yield f"postgres://{user}@127.0.0.1:{port}/postgres"
    run(*control, "--mode=fast", "stop")
    shutil.rmtree(folder, ignore_errors=True)


def test_the_queue_keeps_its_promises_on_postgresql(postgres_url):
    rooms = ("queue", "api", "audit", "uploads", "batches", "learning", "monitoring", "views")
    files = [*(f"tests/{room}" for room in rooms), "tests/versions/test_registry.py"]
    files.append("--ignore=tests/views/test_scripts.py")  # about files, and slow
    changes = {"DATABASE_URL": postgres_url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 40


def test_a_whole_site_runs_on_postgresql(postgres_url, tmp_path, seven):
    with Site(tmp_path / "data", DATABASE_URL=postgres_url) as site:
        assert classify(site, seven) == (200, "Predicted number for input image: 7")
        assert not (site.data_dir / "db.sqlite3").exists()
