"""A power cut, as far as a machine can play it: what reached the disk while the site was at work.

DATA_DIR lies on an ext4 of its own, in a file by way of a loop device. While uploads come, all
processes are stopped, and that file is copied as it is: it has what ext4 wrote, and nothing of what
waits in the memory of the system to be written. The copy is mounted, which replays its journal, and
a second site starts on it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.pictures import noisy_page
from tests.site import Site, eventually
from tests.system.test_reading import rows

CUTS = int(os.environ.get("POWER_CUTS", "1"))
MEGABYTES = 400
SENDERS = 4
SECONDS = 4  # of uploads before each cut; the second half with a worker that stands still


def run(*words) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in words], check=True, capture_output=True, text=True, timeout=120
    )


@contextlib.contextmanager
def mounted(image: Path, folder: Path):
    """The file system in a file, while it is entered."""
    folder.mkdir()
    run("mount", "-o", "loop", image, folder)
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """An empty ext4 in a file, where this user may mount one."""
    image = tmp_path_factory.mktemp("disk") / "disk.img"
    with open(image, "wb") as file:
        file.truncate(MEGABYTES * 1024**2)
    try:
        run("mkfs.ext4", "-q", image)
        with mounted(image, image.parent / "try"):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop device can be mounted here: {error}")
    return image


class Senders:
    """Uploads from several threads: small ones, which lie in the database, and large ones."""

    def __init__(self, site: Site, small: bytes, large: bytes):
        self.site, self.files = site, [small, small, large]
        self.answered: list[str] = []
        self._is_over = threading.Event()
        self._pool = ThreadPoolExecutor(SENDERS)
        self._running = [self._pool.submit(self._send, number) for number in range(SENDERS)]

    def _send(self, sender: int):
        visitor, number = self.site.visitor(), 0
        visitor.get("/")
        token = visitor.token
        while not self._is_over.is_set():
            number += 1
            name = f"cut-{sender}-{number}.png"
            with contextlib.suppress(requests.RequestException):
                answer = visitor.session.post(
                    self.site.url,
                    data=token,
                    files={"file": (name, self.files[number % len(self.files)])},
                    allow_redirects=False,
                    timeout=40,
                )
                # What is answered after the cut never left the machine: see `end`.
                if answer.status_code == 302:
                    self.answered.append(name)

    def end(self):
        self._is_over.set()
        self._pool.shutdown()
        for running in self._running:
            running.result()


def stop_all(site: Site) -> list[int]:
    """Stop all processes of a site; returns those that were stopped, the supervisor first."""
    stopped = []
    os.kill(site.process.pid, signal.SIGSTOP)
    while found := [pid for pid in (site.process.pid, *site.processes()) if pid not in stopped]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped += found
    return stopped


def test_what_was_answered_before_a_power_cut_has_its_file_and_is_read(
    disk, tmp_path, mnist, seven
):
    for cut in range(CUTS):
        image, folder = tmp_path / f"{cut}.img", tmp_path / str(cut)
        shutil.copy(disk, image)
        after = tmp_path / f"after-{cut}.img"
        folder.mkdir()
        with mounted(image, folder / "before") as before:
            answered = cut_power(Site(before / "data"), image, after, seven, noisy_page(mnist))
        assert len(answered) > 20
        with mounted(after, folder / "after") as restored:
            look_at(Site(restored / "data"), answered)


def cut_power(site: Site, image: Path, after: Path, small: bytes, large: bytes) -> set[str]:
    """Run a site under uploads, and copy its disk in the midst; the names of those answered."""
    with site:
        senders = Senders(site, small, large)
        time.sleep(SECONDS / 2)
        os.kill(site.reader(), signal.SIGSTOP)  # so that some of them wait
        time.sleep(SECONDS / 2)
        stopped = stop_all(site)
        time.sleep(0.2)  # until those who send have taken the answers that were on their way
        answered = set(senders.answered)
        shutil.copy(image, after)
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        site.process.wait(30)
        senders.end()
    return answered


def look_at(site: Site, answered: set[str]):
    """Start a site on what a power cut left, and see that it has all that was answered, whole."""
    with site:

        def are_read() -> bool:
            found = {row["name"]: row["status"] for row in rows(site, "cut-")}
            return all(found.get(name) in ("done", "failed", None) for name in answered)

        eventually(are_read, 120, every=1)
        found = {row["name"]: row for row in rows(site, "cut-")}
        lost = [name for name in answered if name not in found]
        unread = [name for name in answered if found.get(name, {}).get("status") != "done"]
        assert (lost, unread) == ([], [])
        assert len(rows(site, "cut-")) == len(found)
        files = (
            "from digits.models import Upload;"
            "print([u.name for u in Upload.objects.filter(name__startswith='cut-')"
            " if not u.file.size])"
        )
        assert site.query(files) == "[]"
