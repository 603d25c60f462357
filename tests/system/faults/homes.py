"""The kinds of installations that faults are done to."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.postgres import Postgres
from tests.site import Site
from tests.system.faults.scene import Scene

DATA_MB, MEDIA_MB = 500, 60


@contextlib.contextmanager
def plain(server: Postgres | None, **settings) -> Iterator[Scene]:
    """An installation as a user starts it, on a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), server, settings) as found:
        yield found


@contextlib.contextmanager
def small_disk(server: Postgres | None, **settings) -> Iterator[Scene]:
    """An installation whose folder is a small disk."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _disk(Path(folder), DATA_MB),
        _running(Path(folder), server, settings) as found,
    ):
        yield found


@contextlib.contextmanager
def small_disks(server: Postgres | None) -> Iterator[Scene]:
    """An installation whose folder is a small disk, and `media/` another; no room is kept free."""
    with tempfile.TemporaryDirectory() as folder, _disk(Path(folder), DATA_MB):
        media = Path(folder) / "data" / "media"
        media.mkdir(parents=True)
        with _disk(media, MEDIA_MB), _running(Path(folder), server, {"MIN_FREE_MB": 0}) as found:
            yield found


@contextlib.contextmanager
def _running(folder: Path, server: Postgres | None, settings: dict) -> Iterator[Scene]:
    settings = {"KEEP_ORIGINALS": 1} | settings  # files are told apart by their metadata
    if server:
        server.empty()
        settings = settings | {"DATABASE_URL": server.url}
    with Site(folder / "data", **settings) as site:
        scene = Scene(site, server)
        scene.prepare()
        yield scene


@contextlib.contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk in memory."""
    options = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "digits", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


HOMES: dict[str, Callable[[Postgres | None], AbstractContextManager[Scene]]] = {
    "plain": plain,
    "small disk": small_disk,
    "small disks": small_disks,
}


def cannot_mount() -> str:
    """Return why no disk can be mounted here; empty where one can."""
    try:
        with tempfile.TemporaryDirectory() as folder, _disk(Path(folder), 1):
            return ""
    except (OSError, subprocess.CalledProcessError):
        return "nothing may be mounted here" if os.getuid() == 0 else "only root may mount"
