"""Versions change on a running site, under load and without a restart."""

import json
import os
import signal
import threading
import time
from pathlib import Path

from tests.models import changed_model, flip_a_byte
from tests.pictures import mnist_png
from tests.site import eventually, run_manage
from tests.system.test_reading import classify

SWAPS = 10
VISITORS, PAUSE = 4, 0.2  # together 20 uploads a second, as long as the machine keeps up
REGISTER = """
from pathlib import Path
from digits.tasks.serving import prepare
from digits.versions.registry import register
prepare(Path("PATH"))  # as a training does
version = register(Path("PATH"), {"architecture": "cnn"})
print(version.pk, version.file.path)
"""
HISTORY = """
import json
from digits.models import Activation, Upload
print(json.dumps({
    "activations": [
        {"version": a.version.number, "status": a.status, "asked": a.created_at.timestamp(),
         "at": a.finished_at and a.finished_at.timestamp()}
        for a in Activation.objects.order_by("id")
    ],
    "uploads": [
        {"status": u.status, "sent": u.created_at.timestamp(), "attempts": u.attempts,
         "finished": u.finished_at and u.finished_at.timestamp(), "reading": u.reading,
         "versions": [p.version.number for d in u.digits.all() for p in d.predictions.all()]}
        for u in Upload.objects.filter(name__startswith="stream").order_by("id")
    ],
}))
"""


def register(site, path: Path) -> tuple[int, Path]:
    """Return a version's number and the path of its file."""
    number, stored = site.query(REGISTER.replace("PATH", str(path))).split(maxsplit=1)
    return int(number), Path(stored)


class Stream:
    """Uploads from some visitors, many a second, for as long as the block runs."""

    def __init__(self, site, mnist):
        self.site, self.mnist, self.sent, self.bad = site, mnist, [], []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send, args=[n]) for n in range(VISITORS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _send(self, first: int):
        visitor = self.site.visitor()
        for index in range(first, len(self.mnist), VISITORS):
            if self.ended.wait(PAUSE):
                return
            answer = visitor.send(mnist_png(self.mnist, index), f"stream-{index}.png")
            (self.sent if answer.status_code == 200 else self.bad).append(index)


def history(site) -> dict:
    return json.loads(site.query(HISTORY))


def active_during(activations: list[dict], start: float, end: float) -> set[int]:
    """The versions that were active at some time between two moments."""
    since = [(0.0, 1), *((done["at"], done["version"]) for done in activations)]
    until = [at for at, _ in since[1:]] + [float("inf")]
    return {
        version for (at, version), to in zip(since, until, strict=True) if at <= end and start <= to
    }


def click(admin, pk: int):
    assert "The activation of version" in admin.post(f"/models/{pk}/activate").text


def test_versions_change_under_load_and_a_changed_file_is_refused(own_site, mnist, tmp_path):
    site = own_site
    _, stored = register(site, changed_model(tmp_path / "changed.keras"))
    eventually(lambda: site.processes(" beat ") and site.processes("train@"))  # started later
    reader, processes = site.reader(), set(site.processes())
    admin = site.visitor(sign_in=True)
    with Stream(site, mnist) as stream:
        for swap in range(SWAPS):
            time.sleep(2)
            click(admin, 1 if swap % 2 else 2)
            shown = "Version 1 was activated" if swap % 2 else "Version 2 was activated"
            eventually(
                lambda shown=shown: shown in admin.get("/models/").text, 10, is_promised=True
            )
        time.sleep(2)
    eventually(lambda: all(u["finished"] for u in history(site)["uploads"]), 60, every=1)
    assert (stream.bad, site.reader()) == ([], reader)
    assert set(site.processes()) == processes

    then = history(site)
    activations, uploads = then["activations"], then["uploads"]
    assert [a["status"] for a in activations] == ["done"] * SWAPS
    assert max(a["at"] - a["asked"] for a in activations) < 10
    assert len(uploads) == len(stream.sent) > 60
    for upload in uploads:
        assert upload["status"] == "done"
        (version,) = upload["versions"]
        assert version in active_during(activations, upload["sent"], upload["finished"])
    assert {version for u in uploads for version in u["versions"]} == {1, 2}
    for done in activations:  # and the next upload is read by the new version
        until = min([a["at"] for a in activations if a["at"] > done["at"]], default=float("inf"))
        after = [u for u in uploads if done["at"] < u["sent"] and u["finished"] < until]
        assert {v for u in after for v in u["versions"]} == {done["version"]}

    flip_a_byte(stored)
    refused = run_manage(["activate", 2, "--wait", 20], site.settings)
    assert refused.returncode == 1
    assert "version 2 was refused: the model file" in refused.stderr
    assert "was changed: expected SHA-256" in refused.stderr
    assert "Version 1 stays active." in admin.get("/models/").text
    assert classify(site, mnist_png(mnist, 0)) == (200, "Predicted number for input image: 7")
    assert site.reader() == reader
    done = run_manage(["activate", 1, "--wait", 20], site.settings)
    assert (done.returncode, done.stdout) == (0, "version 1 is active\n")
    assert site.log().count("refused to activate version 2") == 1
    assert "Traceback" not in site.log()


def test_an_activation_outlives_a_killed_worker_process(own_site, tmp_path, seven):
    site = own_site
    number, _ = register(site, changed_model(tmp_path / "changed.keras"))
    admin, reader = site.visitor(sign_in=True), site.reader()
    os.kill(reader, signal.SIGSTOP)  # it takes the wake-up, and then nothing happens
    click(admin, number)
    time.sleep(1)
    assert f"Version {number} waits for a worker" in admin.get("/models/").text
    os.kill(reader, signal.SIGKILL)
    eventually(lambda: f"Version {number} was activated" in admin.get("/models/").text, 60)
    assert classify(site, seven)[0] == 200
