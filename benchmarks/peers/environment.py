"""The peers' own virtual environment, with the versions that requirements.txt pins."""

import json
import re
import subprocess
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
PYTHON = "python3.11"
SECONDS_TO_INSTALL = 1800
VERSIONS = (
    "import importlib.metadata, json, re;"
    "print(json.dumps({re.sub('[-_.]+', '-', found.metadata['Name']).lower(): found.version"
    " for found in importlib.metadata.distributions()}))"
)


def prepare(folder: Path) -> Path:
    """Make the environment where it is missing, and return its Python.

    Raises:
        RuntimeError: an environment is there, and has other versions.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Making the peers' environment in {folder} (once, a few minutes)", flush=True)
        _run([PYTHON, "-m", "venv", folder])
        install = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        _run([*install, "-r", REQUIREMENTS])
    there = versions(python)
    expected = pins()
    if wrong := {name: there.get(name) for name, pin in expected.items() if there.get(name) != pin}:
        raise RuntimeError(
            f"expected in {folder} what {REQUIREMENTS.name} pins, received {wrong};"
            " remove the folder, and it is made anew"
        )
    return python


def pins() -> dict[str, str]:
    """Return the versions that requirements.txt pins."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", REQUIREMENTS.read_text(), re.M))


def versions(python: Path) -> dict[str, str]:
    """Return the versions of all packages in a Python's environment."""
    command = [python, "-c", VERSIONS]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _run(command: list):
    subprocess.run(command, check=True, timeout=SECONDS_TO_INSTALL)
