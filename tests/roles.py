"""What a container has: the packages of its role, and a disk that it may not write to."""

import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from tests.test_requirements import installed_names


def python_of(folder: Path, requirements: str) -> str:
    """Return a Python with this one's packages of a requirements file, and no others.

    folder: where its environment is made; the packages are links.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    here = Path(sysconfig.get_path("purelib"))
    for name in installed_names(requirements):
        for top in {file.parts[0] for file in metadata.files(name)} - {"..", "__pycache__"}:
            place = packages / top
            if not place.is_symlink():  # several packages may share a namespace
                place.symlink_to(here / top)
    return str(folder / "bin" / "python")


def has_views() -> bool:
    """Return whether a process may have a view of the file system of its own here."""
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    )


def in_view(changes: list[str], command: list[str]) -> list[str]:
    """Return a command that makes changes to its view of the file system before it runs another.

    Where none can be had, nothing is changed.
    """
    if not has_views():
        return command
    return ["unshare", "-m", "sh", "-ec", "; ".join([*changes, f"exec {shlex.join(command)}"])]
