"""Faults of disks and of what processes may have: full, read-only, without memory."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.system.faults.processes import Who
from tests.system.faults.scene import Does, Scene

PIECE = 64 * 1024


def full(folder: str, free: int = 0) -> Does:
    """The disk of a folder below DATA_DIR is filled, but for so many bytes."""

    @contextlib.contextmanager
    def done(scene: Scene):
        path = scene.site.data_dir / folder / "filler"
        _fill(path, free)
        try:
            yield
        finally:
            path.unlink()

    return done


def _fill(path: Path, free: int) -> None:
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(path).free - free))
        for size in (PIECE, 4096) if not free else ():
            with contextlib.suppress(OSError):
                while file.seek(0, os.SEEK_END) >= 0 and file.write(bytes(size)) == size:
                    pass
    assert shutil.disk_usage(path).free <= free + PIECE


@contextlib.contextmanager
def read_only_media(scene: Scene):
    """Nothing can be written into `media/`."""
    media = scene.site.data_dir / "media"
    subprocess.run(["mount", "-o", "remount,ro", media], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", media], check=True)


def limited(who: Who, kind: int, most: Callable[[int], int]) -> Does:
    """Processes may have no more than so much of something."""

    @contextlib.contextmanager
    def done(scene: Scene):
        before = {pid: resource.prlimit(pid, kind) for pid in who(scene)}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, kind, (most(pid), hard))
        yield
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, kind, limits)

    return done


def without_memory(who: Who) -> Does:
    """Processes get no memory beyond what they have."""

    def size(pid: int) -> int:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    return limited(who, resource.RLIMIT_AS, size)


def without_files(who: Who) -> Does:
    """Processes may open no file, and take no connection, beyond those that they have."""
    return limited(who, resource.RLIMIT_NOFILE, lambda pid: len(os.listdir(f"/proc/{pid}/fd")))


def with_empty_files(who: Who) -> Does:
    """Processes may write no byte into files."""
    return limited(who, resource.RLIMIT_FSIZE, lambda pid: 0)
