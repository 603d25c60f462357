"""What docker-compose.yml runs, without Docker: each command with the packages of its image, on a
disk of which it may write to its volume and /tmp alone."""

import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.pictures import mnist_png
from tests.postgres import MISSING, Postgres, has_postgresql
from tests.redis_server import redis_by_tcp
from tests.roles import has_views, in_view, python_of
from tests.site import ROOT, die_with_parent, environment, eventually, free_port
from tests.test_compose import BASE, REQUIREMENTS

pytestmark = pytest.mark.skipif(not has_postgresql(), reason=MISSING)
STAY = ("web", "classify", "trainer", "beat")
CODE = ("manage.py", "worker", "webapp", "digits")


class Container:
    """A service of the Compose file, as a process."""

    def __init__(self, name: str, project: "Project"):
        self.name, self.service = name, BASE["services"][name]
        self.of = project
        self.python = project.python(self.service["build"]["target"])
        self.log_path = project.folder / f"{name}.log"
        given = self.service["environment"] | project.settings
        self.settings = {name: value for name, value in given.items() if value is not None}

    def start(self) -> "Container":
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                self.view(self.service["command"]),
                env=self.environment,
                cwd=self.of.app,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        return self

    def is_well(self) -> bool:
        """Run its health check."""
        assert self.process.poll() is None, self.log()
        kind, *words = self.service["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(
            self.view(words),
            env=self.environment,
            cwd=self.of.app,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def stop(self) -> float:
        """End it as Docker does; return how long that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        return time.monotonic() - started

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(self.python).parent}:/usr/bin:/bin"
        return environment(**self.settings) | {"PATH": path, "HOME": "/nowhere"}

    def view(self, command: list[str]) -> list[str]:
        """Return the command as it sees the code: it cannot write there."""
        place = shlex.quote(str(self.of.app))
        changes = [f"mount --bind {place} {place}", f"mount -o remount,ro,bind {place}"]
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        return in_view([*changes, f"cd {place}"], [program, *command[1:]])

    def log(self) -> str:
        return self.log_path.read_text()


class Project:
    """All services, on one volume."""

    def __init__(self, folder: Path, settings: dict):
        self.folder, self.app = folder, folder / "app"
        self.settings = settings | {"DATA_DIR": folder / "data", "HOST": "127.0.0.1"}
        self._pythons: dict[str, str] = {}
        self.app.mkdir()
        for name in CODE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.app / name)

    def python(self, target: str) -> str:
        if target not in self._pythons:
            requirements = REQUIREMENTS[target].removesuffix(".txt")
            self._pythons[target] = python_of(self.folder / f"python-{target}", requirements)
        return self._pythons[target]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with redis_by_tcp() as redis_url, Postgres() as server:
        settings = {
            "DATABASE_URL": server.url,
            "REDIS_URL": redis_url,
            "PORT": free_port(),
            "CONVERTED_DIR": None,
        }
        yield Project(tmp_path_factory.mktemp("containers"), settings)


@pytest.fixture(scope="module")
def running(project):
    migrate = Container("migrate", project).start()
    assert migrate.process.wait(180) == 0, migrate.log()
    assert "admin" in migrate.log()
    containers = {name: Container(name, project).start() for name in STAY}
    yield containers
    for one in containers.values():
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(10)


def test_each_is_well_by_its_own_health_check(running):
    for one in running.values():
        eventually(one.is_well, 180, every=1)


def test_what_is_sent_is_read(running, project, mnist):
    url = f"http://127.0.0.1:{project.settings['PORT']}/mnist/classify"
    file = {"image": ("seven.png", mnist_png(mnist, 0))}
    answer = requests.post(url, files=file, timeout=60)
    assert (answer.status_code, answer.text.strip()) == (200, "Predicted number for input image: 7")


@pytest.mark.skipif(not has_views(), reason="no view of the file system can be had here")
def test_the_code_cannot_be_written_to(running, project):
    one = running["classify"]
    done = subprocess.run(
        one.view(["touch", "written"]), env=one.environment, capture_output=True, check=False
    )
    assert b"Read-only file system" in done.stderr


def test_the_worker_loads_no_tensorflow(running):
    assert "loaded model version 1 on CPU" in running["classify"].log()
    packages = Path(running["classify"].python).parents[1].glob("lib/python*/site-packages/*")
    assert "tensorflow" not in {path.name for path in packages}


def test_each_ends_within_its_time_and_says_no_error(running):
    for name in ("beat", "web", "classify", "trainer"):
        one = running[name]
        grace = one.service.get("stop_grace_period", "10s").removesuffix("s")
        assert one.stop() < float(grace)
        # The web server ends by the signal, once it has answered.
        assert one.process.returncode in (0, -signal.SIGTERM), one.log()
        assert "Traceback" not in one.log(), one.log()
