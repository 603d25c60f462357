"""A running site starts anew, or ends, under load: nobody is refused, nobody who waits is cut."""

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import requests

from benchmarks.batches import MAKE_TOKEN
from tests.site import eventually, load, run_manage
from tests.system.test_reading import classify, finished, rows

A_SECOND = 20  # uploads
SENDERS = 10


class Load:
    """Uploads of many senders while it is entered: by the page, the API and for programs."""

    def __init__(self, site, data: bytes):
        self.site, self.data, self.token = site, data, site.query(MAKE_TOKEN)
        self.statuses, self.errors = Counter(), []
        self.sent = 0
        self._is_over = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self):
        self._pool = ThreadPoolExecutor(SENDERS)
        self._began = time.monotonic()
        self._running = [self._pool.submit(self._send_all, number) for number in range(SENDERS)]
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._pool.shutdown()
        self.seconds = time.monotonic() - self._began
        for running in self._running:
            running.result()

    def _send_all(self, number: int):
        visitor = self.site.visitor()
        visitor.get("/")
        program = requests.Session()
        program.headers["Authorization"] = f"Bearer {self.token}"
        ways = cycle([self._by_page, self._by_api, self._as_program])
        for _ in range(number):
            next(ways)
        due = time.monotonic() + number / A_SECOND
        while not self._is_over.wait(max(0.0, due - time.monotonic())):
            due += SENDERS / A_SECOND
            with self._lock:
                self.sent += 1
                name = f"load-{self.sent}.png"
            try:
                answer = next(ways)(visitor, program, name)
                self.statuses[answer.status_code] += 1
            except requests.RequestException as error:
                self.errors.append(repr(error))

    def _by_page(self, visitor, program, name):
        return visitor.send(self.data, name)

    def _by_api(self, visitor, program, name):
        url = f"{self.site.url}/api/v1/uploads/?wait=20"
        return program.post(url, files={"file": (name, self.data)}, timeout=40)

    def _as_program(self, visitor, program, name):
        url = f"{self.site.url}/mnist/classify"
        return program.post(url, files={"file": (name, self.data)}, timeout=40)


class Watch(threading.Thread):
    """Looks how many processes of each kind there are at a time."""

    KINDS = ("manage.py serve", "queues=classify", "queues=train", "webapp beat")

    def __init__(self, site):
        super().__init__()
        self.site, self.most, self._is_over = site, Counter(), threading.Event()

    def run(self):
        while not self._is_over.wait(0.3):
            found = {kind: len(self.site.processes(kind)) for kind in self.KINDS}
            self.most |= Counter(found)
            self.most["all"] = max(self.most["all"], sum(found.values()))

    def end(self) -> Counter:
        self._is_over.set()
        self.join()
        return self.most


def test_a_rolling_restart_under_load_fails_no_request(own_site, seven):
    site = own_site
    eventually(lambda: all(map(site.processes, Watch.KINDS)))  # some start a little later
    before = {kind: set(site.processes(kind)) for kind in Watch.KINDS}
    count = sum(map(len, before.values()))
    assert count == 5  # the classify worker and its reader are two
    watch = Watch(site)
    with Load(site, seven) as sending:
        time.sleep(2)
        watch.start()
        done = run_manage(["restart"], site.settings)
        most = watch.end()
        time.sleep(3)
    assert (done.returncode, done.stdout) == (0, "restarted\n"), done.stderr
    after = {kind: set(site.processes(kind)) for kind in Watch.KINDS}
    assert not any(before[kind] & after[kind] for kind in Watch.KINDS)
    assert {kind: len(found) for kind, found in after.items()} == {
        kind: len(found) for kind, found in before.items()
    }
    assert most["all"] <= count + 2  # a worker is two processes
    assert sending.errors == []
    assert sending.statuses.keys() <= {200, 201}
    assert sending.sent / sending.seconds > A_SECOND / 2 / load()
    eventually(lambda: finished(site, "load") == sending.sent, 60, every=1)
    found = rows(site, "load-")
    assert len(found) == sending.sent
    assert {row["attempts"] for row in found} == {1}
    assert "Traceback" not in site.log()


def test_who_waits_for_a_reading_gets_it_from_a_server_that_ends(own_site, seven):
    """Its worker stands still for longer than uvicorn waits by itself."""
    site = own_site
    eventually(site.is_ready)
    stopped = [next(iter(site.processes("queues=classify"))), site.reader()]
    (web,) = site.processes("manage.py serve")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(classify, site, seven, f"wait-{n}.png") for n in range(20)]
        eventually(lambda: len(rows(site, "wait-")) == 20)
        os.kill(web, signal.SIGTERM)
        time.sleep(10)
        assert not any(one.done() for one in waiting)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        answers = Counter(one.result()[0] for one in waiting)
    assert answers == {200: 20}
    eventually(lambda: site.processes("manage.py serve").keys() - {web}, 30)
    eventually(site.is_ready)


def test_who_waits_gets_the_reading_while_everything_ends(own_site, seven):
    site = own_site
    reader = site.reader()
    os.kill(reader, signal.SIGSTOP)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(classify, site, seven, f"end-{n}.png") for n in range(20)]
        eventually(lambda: len(rows(site, "end-")) == 20)
        site.process.send_signal(signal.SIGTERM)
        time.sleep(2)
        os.kill(reader, signal.SIGCONT)
        answers = Counter(one.result()[0] for one in waiting)
    site.process.wait(30)
    assert answers == {200: 20}
    assert site.processes() == {}
    site.start()
    assert finished(site, "end") == 20


def test_restart_says_that_nothing_runs(tmp_path):
    done = run_manage(["restart"], {"DATA_DIR": tmp_path / "data"})
    assert done.returncode == 1
    assert "nothing runs on" in done.stderr
