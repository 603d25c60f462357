"""The product and its peers: how each is started, asked and ended."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.peers.bodies import Bodies
from digits.supervisor import die_with_parent
from tests.site import Site, environment, free_port

APPS = Path(__file__).parent / "apps"
PRODUCT, ORIGINAL = "digits", "original"
SECONDS_TO_START = 120
SECONDS_TO_END = 15
COUNT_UPLOADS = (
    "import json; from collections import Counter; from digits.models import Upload;"
    "print(json.dumps(Counter(Upload.objects.values_list('status', flat=True))))"
)


@dataclass
class Peer:
    """Another server of the model.

    arguments: those of its Python, by the port; its modules are those of the folder apps.
    """

    path: str
    arguments: Callable[[int], list[str]]
    raw: bool = False


@dataclass
class Running:
    """A server that answers; stored returns how many uploads it has stored, by their status."""

    url: str
    raw: bool = False
    stored: Callable[[], dict[str, int]] | None = None


def _gunicorn(app: str) -> Callable[[int], list[str]]:
    """Return the arguments of gunicorn with four threads; 2 and 16 could not be told apart."""
    options = "--worker-class=gthread --threads=4 --keep-alive=30 --timeout=60 --log-level=warning"
    return lambda port: ["-m", "gunicorn", app, f"--bind=127.0.0.1:{port}", *options.split()]


def _litserve(port: int) -> list[str]:
    return ["litserve_app.py", str(port)]


def _bentoml(port: int) -> list[str]:
    return ["-m", "bentoml", "serve", "bentoml_app:Digits", "--host=127.0.0.1", f"--port={port}"]


def _fastapi(port: int) -> list[str]:
    return ["-m", "uvicorn", "fastapi_app:app", f"--port={port}", "--log-level=warning"]


def _mosec(port: int) -> list[str]:
    return ["mosec_app.py", "--address=127.0.0.1", f"--port={port}", "--log-level=warning"]


PEERS = {
    "litserve": Peer("/predict", _litserve),
    "bentoml": Peer("/predict", _bentoml),
    "fastapi": Peer("/predict", _fastapi),
    "flask": Peer("/predict", _gunicorn("flask_app:app")),
    "mosec": Peer("/inference", _mosec, raw=True),
    ORIGINAL: Peer("/predict", _gunicorn("original_app:app")),
}
NAMES = (PRODUCT, *PEERS)


@contextlib.contextmanager
def running(name: str, python: Path, bodies: Bodies) -> Iterator[Running]:
    """Start a server in a temporary folder, wait until it reads, and end it with all it started."""
    with tempfile.TemporaryDirectory(prefix="digits-peers-") as folder:
        if name == PRODUCT:
            with _product(Path(folder)) as server:
                yield server
        else:
            with _peer(PEERS[name], python, Path(folder), bodies) as server:
                yield server


@contextlib.contextmanager
def _product(folder: Path) -> Iterator[Running]:
    """Run `manage.py up` with the product's own leases and sweeps, and not those of tests."""
    with Site(folder / "data", LEASE_SECONDS=40, SWEEP_SECONDS=10) as site:
        yield Running(
            f"{site.url}/mnist/classify", stored=lambda: json.loads(site.query(COUNT_UPLOADS))
        )


@contextlib.contextmanager
def _peer(peer: Peer, python: Path, folder: Path, bodies: Bodies) -> Iterator[Running]:
    port = free_port()
    server = Running(f"http://127.0.0.1:{port}{peer.path}", peer.raw)
    settings = {
        "TMPDIR": folder,  # by which its processes are found, too
        "BENTOML_HOME": folder / "bentoml",
        "BENTOML_DO_NOT_TRACK": "True",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PATH": f"{python.parent}:{os.environ['PATH']}",
    }
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [python, *peer.arguments(port)],
            cwd=APPS,
            env=environment(**settings),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    try:
        _await(process, server, bodies, folder / "log")
        yield server
    finally:
        _end(process, folder)


def _await(process: subprocess.Popen, server: Running, bodies: Bodies, log: Path):
    """Wait until a peer reads a digit.

    Raises:
        RuntimeError: it ended, or took too long; with the end of its log.
    """
    deadline, answer = time.monotonic() + SECONDS_TO_START, "no answer"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            received = bodies.post(server.url, server.raw, 0)
            if received.status_code == 200:
                return
            answer = f"status {received.status_code}"
        time.sleep(0.2)
    raise RuntimeError(
        f"expected {server.url} to read within {SECONDS_TO_START} s, received {answer};"
        f" its log ends with:\n{log.read_text()[-2000:]}"
    )


def _end(process: subprocess.Popen, folder: Path):
    """End a peer and its children, also those that have left its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_END
    while _processes(folder) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in _processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _processes(folder: Path) -> list[int]:
    """Return the ids of the processes that work in this temporary folder."""
    found, mark = [], f"TMPDIR={folder}".encode()
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if re.fullmatch(r"\d+", place.name):
                words = (place / "environ").read_bytes().split(b"\0")
                if mark in words:
                    found.append(int(place.name))
    return found
