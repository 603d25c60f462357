"""Faults of Redis: emptied, started again without its data, without memory, out of reach."""

import contextlib
import shutil
import socket
import threading

from tests.relays import Relay
from tests.system.faults.machines import web_beside
from tests.system.faults.processes import REDIS
from tests.system.faults.scene import Scene, kill

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


@contextlib.contextmanager
def web_over_a_network(scene: Scene):
    """Uploads go to a web server that reaches Redis over a network."""

    def connect() -> socket.socket:
        redis = socket.socket(socket.AF_UNIX)
        redis.connect(f"{scene.site.data_dir}/redis.sock")
        return redis

    with Relay(connect) as scene.network:
        around = web_beside(REDIS_URL=f"redis://127.0.0.1:{scene.network.port}")
        with around(scene):
            yield


@contextlib.contextmanager
def network_pauses(scene: Scene):
    """What the web server says to Redis, and hears of it, comes later."""
    scene.network.flows.clear()
    yield
    scene.network.flows.set()
