"""A PostgreSQL server of its own for tests, where its binaries are installed."""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.site import free_port

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
BIN = BINARIES[-1] if BINARIES else Path(shutil.which("initdb") or "/nowhere/initdb").parent
MISSING = "PostgreSQL's server is not installed here"


def has_postgresql() -> bool:
    """PostgreSQL refuses to run as root; there it needs its own user."""
    if not (BIN / "initdb").exists():
        return False
    return os.getuid() != 0 or any(user.pw_name == "postgres" for user in pwd.getpwall())


class Postgres:
    """A server on a folder that its user can reach; it runs while this is entered."""

    def __init__(self) -> None:
        self.user = "postgres" if os.getuid() == 0 else getpass.getuser()
        self.port = free_port()
        self.url = f"postgres://{self.user}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> "Postgres":
        self.folder = Path(tempfile.mkdtemp(prefix="digits-postgres-"))
        shutil.chown(self.folder, self.user)
        self._run("initdb", "--auth=trust", f"--username={self.user}")
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop("fast")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "--wait", "--log", self.folder / "log", "-o", options, "start")

    def stop(self, mode: str) -> None:
        """Stop it: "smart", "fast", or "immediate", as if it crashed."""
        self._run("pg_ctl", "--wait", f"--mode={mode}", "stop")

    def empty(self) -> None:
        """Drop all tables."""
        with psycopg.connect(self.url, autocommit=True) as session:
            session.execute("DROP SCHEMA public CASCADE")
            session.execute("CREATE SCHEMA public")

    def _run(self, program: str, *words) -> None:
        subprocess.run(
            [BIN / program, "--pgdata", self.folder / "db", *words],
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
