"""The processes of an installation under measurement: what each is, and what it takes."""

import os
from pathlib import Path

NAMES = {
    "manage.py up": "up",
    "manage.py serve": "web",
    "classify@": "classify worker",
    "train@": "train worker",
    " beat ": "beat",
    "valkey": "redis",
}


def name_of(command: str) -> str:
    """Return what a process is, by its command line."""
    return next((name for part, name in NAMES.items() if part in command), "other")


def memory_of(pid: int) -> float:
    """Return the proportional set size in MB: what processes share is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kilobytes,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def resident_of(pid: int) -> float:
    """Return the resident set size in MB, which does not depend on what else runs."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def files_of(pid: int) -> tuple[int, int]:
    """Return the number of open files, and how many of them are sockets."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:  # closed meanwhile
            continue
    return len(found), sum(one.startswith("socket:") for one in found)
