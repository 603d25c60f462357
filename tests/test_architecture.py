"""ARCHITECTURE.md is a map: each folder is on it, and each path it names exists."""

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
NAMED = {name for name in re.findall(r"`([^`\s]+)`", TEXT) if "/" in name}
ROOTS = ("digits", "worker", "webapp", "tests", "benchmarks", "docs")
DEEPEST = 2
AT_THEIR_TOP = ("digits/templates", "digits/static")


def folders() -> list[str]:
    """The folders under version control, as ARCHITECTURE.md should name them."""
    command = ["git", "ls-files", *ROOTS]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {parent for file in files.splitlines() for parent in PurePosixPath(file).parents}
    return sorted(f"{folder}/" for folder in found if is_on_the_map(folder))


def is_on_the_map(folder: PurePosixPath) -> bool:
    depth = len(folder.parts) - 1
    below = any(str(parent) in AT_THEIR_TOP for parent in folder.parents)
    return 0 <= depth <= DEEPEST and not below


def test_it_names_every_folder():
    assert len(folders()) > len(ROOTS)
    assert [folder for folder in folders() if folder not in NAMED] == []


@pytest.mark.parametrize("path", sorted(NAMED))
def test_a_path_that_it_names_exists(path):
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()
