"""A whole installation under test: `manage.py up` in a process of its own."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import redis
import requests

from digits.supervisor import die_with_parent
from worker.reading import openvino_models

ROOT = Path(__file__).parent.parent
ADMIN_PASSWORD = "a-password-for-tests"
ANSWER = """
import contextlib, io, json, sys, traceback
from django.db import close_old_connections
for line in sys.stdin:
    output, failed = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(output):
            exec(json.loads(line), {})
    except Exception:
        failed = traceback.format_exc()
    close_old_connections()
    print(json.dumps([output.getvalue().strip(), failed]), flush=True)
"""


def environment(**changes) -> dict[str, str]:
    """This process's environment without what would reach into an installation under test."""
    ours = ("REDIS_URL", "DATABASE_URL", "DATA_DIR", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    kept = {k: v for k, v in os.environ.items() if k not in ours}
    kept["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
    # Installations under test share what takes seconds to make, and is the same for all.
    kept["CONVERTED_DIR"] = str(openvino_models.cache_folder())
    return kept | {name: str(value) for name, value in changes.items()}


def run_manage(words, changes) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, words)],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def free_port() -> int:
    """A port that nothing else is given by chance until it is used: below those of connections."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("expected one of 100 ports to be free, received none")


def load() -> float:
    """How many processes share a core now, from 1 to 4: the factor for timeouts."""
    return min(4.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def eventually(check, seconds: float = 30, every: float = 0.1, is_promised: bool = False):
    """Ask until the answer is true, and return it; AssertionError when time is up.

    seconds: how long it may take where nothing else runs; under load it is longer, but for what
        the product promises.
    """
    started = time.monotonic()
    while not (answer := check()):
        limit = seconds if is_promised else seconds * load()
        assert time.monotonic() - started < limit, f"not within {seconds} s: {check}"
        time.sleep(every)
    return answer


class Shell:
    """An installation's own shell: one process for all that is asked, as each start takes long."""

    def __init__(self, settings: dict):
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--no-imports", "--command", ANSWER],
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str) -> str:
        """Run Python, and return what it prints."""
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()
        output, failed = json.loads(self.process.stdout.readline())
        assert not failed, failed
        return output

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class Site:
    """An installation on a folder; `with Site(folder) as site` starts and ends it."""

    python = sys.executable

    def __init__(self, data_dir: Path, **settings):
        data_dir.mkdir(exist_ok=True)
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = data_dir / "up.log"
        self.settings = {
            "DATA_DIR": data_dir,
            "PORT": self.port,
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "LEASE_SECONDS": 10,
            "SWEEP_SECONDS": 2,
            "API_RATE": "100000/minute",
        } | settings
        self.process = None
        self.shell = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.shell:
                self.shell.end()
        finally:
            self.stop()

    def start(self, within: float | None = None):
        """Start it, and wait until it can read; within so many seconds where they are promised."""
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [self.python, "manage.py", "up"],
                cwd=ROOT,
                env=environment(**self.settings),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        eventually(self.is_ready, within or 90, is_promised=within is not None)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """End it; returns how many seconds that took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30 * load())
            finally:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
        return time.monotonic() - started

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return requests.get(f"{self.url}/health/ready", timeout=40).status_code == 200
        except requests.RequestException:
            return False

    def log(self) -> str:
        return self.log_path.read_text()

    def processes(self, pattern: str = "") -> dict[int, str]:
        """The process ids and command lines of everything that works on this folder, but for us."""
        found, ours = {}, self.shell and self.shell.process.pid
        mark = f"DATA_DIR={self.data_dir}".encode()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(folder.name)
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environ = (folder / "environ").read_bytes().split(b"\0")
                if mark in environ and re.search(pattern, command) and command and pid != ours:
                    found[pid] = command
        return found

    def reader(self) -> int:
        """The process id of the classify worker's pool process."""
        (sign,) = requests.get(f"{self.url}/health/ready", timeout=40).json()["worker"]["processes"]
        return sign["pid"]

    def is_read_by_another(self, reader: int) -> bool:
        """Return whether the site is ready, by a reader other than the one that was killed."""
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"{self.url}/health/ready", timeout=40)
            # One request: in a second one, the dead reader's heartbeat may have run out.
            signs = answer.json()["worker"]["processes"] if answer.ok else []
            return bool(signs) and [sign["pid"] for sign in signs] != [reader]
        return False

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=f"{self.data_dir}/redis.sock")

    def visitor(self, sign_in: bool = False) -> "Visitor":
        return Visitor(self, sign_in)

    def query(self, code: str) -> str:
        """Run Python in the installation's own shell, and return what it prints."""
        self.shell = self.shell or Shell(self.settings)
        return self.shell.run(code)


class Visitor:
    """A browser session without a browser."""

    def __init__(self, site: Site, sign_in: bool):
        self.site = site
        self.session = requests.Session()
        self.csrf_cookie = f"digits-{site.port}-csrf"
        if sign_in:
            login = f"{site.url}/accounts/login/"
            self.session.get(login, timeout=40)
            self._post(login, {"username": "admin", "password": ADMIN_PASSWORD})

    def send(self, data: bytes, name: str = "digit.png", to: str = "/") -> requests.Response:
        """Send a file through a page's form; the answer is the page it leads to."""
        if self.csrf_cookie not in self.session.cookies:
            self.session.get(self.site.url, timeout=40)
        return self._post(self.site.url + to, {}, files={"file": (name, data)})

    def get(self, path: str, **options) -> requests.Response:
        return self.session.get(self.site.url + path, timeout=40, **options)

    def post(self, path: str, **fields) -> requests.Response:
        """Send a form without a file, as a button does."""
        if self.csrf_cookie not in self.session.cookies:
            self.get("/")
        return self._post(self.site.url + path, fields)

    @property
    def token(self) -> dict[str, str]:
        """The field with which a form of this visitor is taken, once a page was seen."""
        return {"csrfmiddlewaretoken": self.session.cookies[self.csrf_cookie]}

    def _post(self, url: str, fields: dict, **options) -> requests.Response:
        fields = fields | self.token
        return self.session.post(url, data=fields, timeout=40, **options)
