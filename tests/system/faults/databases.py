"""Faults of the database: locked, restarted, its connections cut, changed by an upgrade."""

import contextlib
import sqlite3

import psycopg

from tests.site import ROOT, run_manage
from tests.system.faults.scene import Scene

BEFORE, LAST = sorted(one.stem for one in (ROOT / "digits/migrations").glob("0*.py"))[-2:]


@contextlib.contextmanager
def locked(scene: Scene):
    """Another process keeps everybody from writing."""
    with _lock_on_postgresql(scene) if scene.server else _lock_on_sqlite(scene):
        yield


@contextlib.contextmanager
def _lock_on_sqlite(scene: Scene):
    path = scene.site.data_dir / "db.sqlite3"
    with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def _lock_on_postgresql(scene: Scene):
    with psycopg.connect(scene.server.url) as other:
        other.execute("LOCK TABLE digits_upload IN ACCESS EXCLUSIVE MODE")
        yield


@contextlib.contextmanager
def restarted(scene: Scene):
    """The server is stopped, and started again later."""
    scene.server.stop("fast")
    yield
    scene.server.start()


@contextlib.contextmanager
def crashed(scene: Scene):
    """The server dies without a word, and is started again later."""
    scene.server.stop("immediate")
    yield
    scene.server.start()


@contextlib.contextmanager
def connections_cut(scene: Scene):
    with psycopg.connect(scene.server.url) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    yield


@contextlib.contextmanager
def upgraded(scene: Scene):
    """The last change of the schema is taken back while all runs, and made again."""
    for to in (BEFORE, LAST):
        done = run_manage(["migrate", "digits", to], scene.site.settings)
        assert done.returncode == 0, done.stderr
    yield
