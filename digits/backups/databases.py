"""Copies of the database: of one that is in use, and into one that is empty."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from django.db import connection, transaction
from django.db.backends.postgresql.client import DatabaseClient

from digits.backups.errors import BackupError

FILES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
Program = Literal["pg_dump", "pg_restore"]
CLIENT = "install PostgreSQL's client programs, of the server's release or a later one"


def file_name() -> str:
    """Return the name of the copy of a database as this site has one."""
    return FILES[connection.vendor]


@contextlib.contextmanager
def copied(path: Path) -> Iterator[Any]:
    """Write a copy of the database as it is at one moment, while others go on to write to it.

    Yields:
        A cursor of that moment's database.

    Raises:
        BackupError: the copy cannot be made.
    """
    copy = _copied_sqlite if connection.vendor == "sqlite" else _copied_postgresql
    with copy(path) as cursor:
        yield cursor


def is_empty() -> bool:
    """Return whether this site's database has no tables."""
    return not connection.introspection.table_names()


def load(path: Path) -> None:
    """Put a copy in the place of this site's empty database; whole, or not at all.

    Raises:
        BackupError: it cannot be done.
    """
    if connection.vendor == "sqlite":
        _load_sqlite(path)
    else:
        words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        # The schema is there already.
        listed = _run("pg_restore", ["--list", str(path)], asks=False)
        with tempfile.NamedTemporaryFile("w", prefix="digits-") as wanted:
            wanted.writelines(
                line for line in listed.splitlines(True) if " SCHEMA - public " not in line
            )
            wanted.flush()
            words.append(f"--use-list={wanted.name}")
            _run("pg_restore", [*words, str(path)], option="--dbname")


@contextlib.contextmanager
def _copied_sqlite(path: Path) -> Iterator[Any]:
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(path)) as copy:
        # All pages in one step: a step reads one state, and begins anew after a change otherwise.
        connection.connection.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file
        yield copy.cursor()


@contextlib.contextmanager
def _copied_postgresql(path: Path) -> Iterator[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        words = ["--format=custom", f"--snapshot={snapshot}", f"--file={path}"]
        _run("pg_dump", words, option="--dbname")
        yield cursor


def _load_sqlite(path: Path) -> None:
    place = Path(connection.settings_dict["NAME"])
    connection.close()
    draft = place.with_name(f"{place.name}.restored")
    shutil.copyfile(path, draft)
    for left in ("-wal", "-shm"):  # of the empty database
        place.with_name(f"{place.name}{left}").unlink(missing_ok=True)
    os.replace(draft, place)


def _run(program: Program, words: list[str], option: str = "", asks: bool = True) -> str:
    """Run a program of PostgreSQL's and return what it prints.

    Args:
        program: its name, looked for on the PATH.
        words: what it is told.
        option: what it is told the name of the database by.
        asks: whether it asks the server.
    """
    settings = None
    if asks:
        # As Django runs psql: psql [who and where] database
        (_, *where, database), settings = DatabaseClient.settings_to_cmd_args_env(
            connection.settings_dict, []
        )
        words = [*where, "--no-password", f"{option}={database}", *words]
    try:
        done = subprocess.run(
            [program, *words],
            env=os.environ | (settings or {}),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise BackupError(f"{program} is missing: {CLIENT}") from error
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")
    return done.stdout
