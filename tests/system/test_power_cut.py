"""What was answered is on the disk: the kernel says in which order the web server had it synced."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import requests

from tests.pictures import noisy_page
from tests.site import eventually

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
CALLS = "fsync,fdatasync,read,recvfrom,write,writev,sendto,sendmsg"
CALL = re.compile(r"(\d+) +(\w+)\(\d+<(.+?)>")
REST = re.compile(r"(\d+) +<\.\.\. \w+ resumed>")
ANSWER = re.compile(r"HTTP/1\.1 (\d+)")


class Traced:
    """The system calls of the web server while this is entered, in the order of their ends."""

    def __init__(self, site, path):
        (self.pid,) = site.processes(r"manage\.py serve")
        self.path = path

    def __enter__(self):
        words = ["strace", "-f", "-y", "-s", "24", "-e", f"trace={CALLS}", "-o", str(self.path)]
        self.process = subprocess.Popen(
            [*words, "-p", str(self.pid)], stderr=subprocess.PIPE, text=True
        )
        assert "attached" in self.process.stderr.readline()
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.process.stderr.close()

    def until_answer(self, status: int) -> list[str]:
        """The files and folders that were synced before the POST's answer with this status began.

        Others ask at the same time: the supervisor looks at the site's health as it starts.
        """
        synced, begun, posted = [], {}, None
        for line in self.path.read_text().splitlines():
            if call := CALL.match(line):
                begun[call[1]] = call[2], call[3]
            elif not (call := REST.match(line)) or call[1] not in begun:
                continue
            name, path = begun[call[1]]
            if name in ("read", "recvfrom") and '"POST /' in line:
                posted = path
            elif path == posted and (answer := ANSWER.search(line)):
                assert int(answer[1]) == status
                return synced
            elif name in ("fsync", "fdatasync") and line.rstrip().endswith("= 0"):
                synced.append(path)
        raise AssertionError(f"expected an answer with status {status} in the trace, found none")


def test_the_row_and_its_small_file_are_synced_before_the_answer(own_site, seven, tmp_path):
    with Traced(own_site, tmp_path / "trace") as traced:
        answer = requests.post(f"{own_site.url}/mnist/classify", files={"file": seven}, timeout=30)
        assert answer.status_code == 200
    assert f"{own_site.data_dir}/db.sqlite3-wal" in traced.until_answer(200)


def test_a_large_file_its_folders_and_then_the_row_are_synced_before_the_answer(
    own_site, mnist, tmp_path
):
    visitor = own_site.visitor()
    visitor.get("/")
    with Traced(own_site, tmp_path / "trace") as traced:
        data = noisy_page(mnist)
        token = visitor.token
        answer = visitor.session.post(
            own_site.url, data=token, files={"file": data}, allow_redirects=False, timeout=40
        )
        assert answer.status_code == 302
    name = own_site.query(
        "from digits.models import Upload; print(Upload.objects.first().file.name)"
    )
    media = own_site.data_dir / "media"
    path = media / name
    synced = traced.until_answer(302)
    folders = [folder for folder in path.parents if folder.is_relative_to(media)]
    places = [synced.index(str(one)) for one in (path, *folders)]
    wal = len(synced) - 1 - synced[::-1].index(f"{own_site.data_dir}/db.sqlite3-wal")
    assert max(places) < wal


def test_what_was_answered_is_there_after_everything_was_killed(own_site, seven):
    site = own_site
    os.kill(site.reader(), signal.SIGSTOP)
    visitor = site.visitor()
    for _ in range(5):
        assert visitor.send(seven, "killed.png").status_code == 200
    for pid in (site.process.pid, *site.processes()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    site.process.wait(30)
    site.start()
    count = (
        "from digits.models import Upload;"
        "print(Upload.objects.filter(name='killed.png', status='done').count())"
    )
    eventually(lambda: site.query(count) == "5", 60)
