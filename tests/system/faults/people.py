"""What people do at a bad moment: they go away, delete what is being read, spoil a model's file."""

import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import requests

from tests.system.faults.processes import READER
from tests.system.faults.scene import Does, Scene, kill
from worker.reading.bundle import VERIFIER

HALF = (
    b"POST /mnist/classify HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 200000\r\n\r\n"
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="gone.png"\r\n\r\n'
)
CLIENTS, UPLOADS = 40, 20
MODEL = "from digits.models import ModelVersion; print(ModelVersion.active().file.path)"
THERE = "from digits.models import Upload; print(Upload.objects.filter(name='gone.png').count())"
LEAVE = """
from django.contrib.auth import get_user_model
from digits.accounts import accounts
print(accounts.delete(get_user_model().objects.get(username="leaver")))
"""


@contextlib.contextmanager
def clients_go_away(scene: Scene):
    """Clients go away in the middle of their uploads, of which nothing may be stored."""
    large = scene.pictures[-2].data
    for number in range(CLIENTS):
        with socket.create_connection(("127.0.0.1", scene.site.port)) as one:
            one.sendall(HALF + large[: number * len(large) // CLIENTS])
    yield
    assert scene.site.query(THERE) == "0"


@contextlib.contextmanager
def deleting(scene: Scene):
    """What is sent to the API is deleted at once, while it waits or is read."""
    scene.driver.deletes = True
    yield
    scene.driver.deletes = False


@contextlib.contextmanager
def account_deleted(scene: Scene):
    """An account is deleted while its uploads and its batch are read."""
    token = scene.token_of("leaver")
    reader = READER(scene)
    kill(*reader, number=signal.SIGSTOP)
    api = f"{scene.url}/api/v1"
    files = [("uploads", "gone.png", scene.pictures[0].data)] * UPLOADS
    for kind, name, data in [*files, ("batches", "gone.csv", scene.table)]:
        sent = {"file": (name, data)}
        requests.post(f"{api}/{kind}/", files=sent, headers=token, timeout=60).raise_for_status()
    kill(*reader, number=signal.SIGCONT)
    assert int(scene.site.query(LEAVE)) == UPLOADS
    yield
    assert scene.site.query(THERE) == "0"


def model_spoiled(spoil: Callable[[Path], object]) -> Does:
    """The active version's file is spoiled, and the reader has to load it anew."""

    @contextlib.contextmanager
    def done(scene: Scene):
        path = Path(scene.site.query(MODEL))
        before = path.read_bytes()
        spoil(path)
        kill(*READER(scene))
        try:
            yield
        finally:
            path.write_bytes(before)

    return done


def damage(path: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def replace(path: Path) -> None:
    path.write_bytes(VERIFIER.read_bytes())
