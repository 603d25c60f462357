"""Faults of Redis: emptied, started again without its data, without memory, out of reach."""

import contextlib
import shutil
import socket
import socketserver
import threading

from tests.system.faults.machines import web_beside
from tests.system.faults.processes import REDIS
from tests.system.faults.scene import Scene, kill

CHUNK = 64 * 1024
PAUSE_SECONDS = 5


@contextlib.contextmanager
def emptied(scene: Scene):
    """FLUSHALL: all messages and marks are gone."""
    scene.site.redis().flushall()
    yield


@contextlib.contextmanager
def emptied_again_and_again(scene: Scene):
    """FLUSHALL, several times a second."""
    ended = threading.Event()

    def empty() -> None:
        while not ended.wait(0.1):
            scene.site.redis().flushall()

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def without_its_data(scene: Scene):
    """It is killed, and starts again on an empty folder."""
    kill(*REDIS(scene))
    shutil.rmtree(scene.site.data_dir / "redis")
    (scene.site.data_dir / "redis").mkdir(mode=0o700)
    yield


@contextlib.contextmanager
def full(scene: Scene):
    """It has no memory for more."""
    scene.site.redis().config_set("maxmemory", 1)
    yield
    scene.site.redis().config_set("maxmemory", 0)


@contextlib.contextmanager
def paused(scene: Scene):
    """It takes commands and answers none for a while: CLIENT PAUSE."""
    scene.site.redis().client_pause(PAUSE_SECONDS * 1000)
    yield


@contextlib.contextmanager
def cut(scene: Scene):
    """All its connections are cut."""
    for kind in ("normal", "pubsub"):
        scene.site.redis().client_kill_filter(_type=kind)
    yield


class Network:
    """A relay between a process and Redis, on a port of its own; it can pass on nothing."""

    def __init__(self, path: str) -> None:
        self.flows = threading.Event()
        self.flows.set()
        network = self

        class Relay(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as redis:
                    redis.connect(path)
                    back = threading.Thread(target=network.pass_on, args=[redis, self.request])
                    back.start()
                    network.pass_on(self.request, redis)
                    back.join()

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)
        self.server.daemon_threads = True
        self.url = f"redis://127.0.0.1:{self.server.server_address[1]}"

    def pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self.flows.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Network":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.flows.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def web_over_a_network(scene: Scene):
    """Uploads go to a web server that reaches Redis over a network."""
    with Network(f"{scene.site.data_dir}/redis.sock") as scene.network:
        around = web_beside(REDIS_URL=scene.network.url)
        with around(scene):
            yield


@contextlib.contextmanager
def network_pauses(scene: Scene):
    """What the web server says to Redis, and hears of it, comes later."""
    scene.network.flows.clear()
    yield
    scene.network.flows.set()
