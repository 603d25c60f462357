"""Real parts for the tests: a Redis-compatible server, images of MNIST, a whole site."""

import subprocess
import time
from pathlib import Path

import pytest
import redis as redis_library
from django.conf import settings

from digits import addresses, quotas, rates
from digits.management.commands.up import embedded_redis
from digits.queue import redis as own_redis
from tests.few_images import write as write_few_images
from tests.pictures import mnist_png
from tests.site import Site
from webapp import values
from worker.files.datasets import load_mnist
from worker.reading.engine import Engine

# By processor time; what else drives a running site comes next, and all other files last.
LONGEST = (
    "system/test_learning.py",
    "faults/test_faults.py",
    "system/test_failures.py",
    "management/test_commands.py",
    "images/test_scenes.py",
    "system/test_every_page.py",
    "reading/test_engine.py",
    "system/test_postgres.py",
    "system/test_activation.py",
    "training/test_fit.py",
)


def pytest_collection_modifyitems(items):
    """What takes long comes first, so that no process that tests waits for another at the end."""
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    file = "/".join(path.parts[-2:])
    return LONGEST.index(file) if file in LONGEST else len(LONGEST) + ("system" not in path.parts)


@pytest.fixture(scope="session", autouse=True)
def redis_server():
    """One Redis-compatible server for the whole run, where the settings say."""
    service = embedded_redis()
    service.start()
    yield service
    service.process.terminate()
    service.process.wait(10)


@pytest.fixture(scope="module")
def engine():
    """What reads with the model that ships."""
    return Engine()


@pytest.fixture
def redis(redis_server):
    """A client of an empty server."""
    client = redis_library.Redis.from_url(settings.REDIS_URL, decode_responses=True)
    for _ in range(100):
        try:
            client.flushall()
            break
        except redis_library.ConnectionError:
            time.sleep(0.05)
    yield client
    client.close()


@pytest.fixture
def redis_down(settings):
    """No server at all: the settings lead to an address where nothing listens."""
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    own_redis._client.cache_clear()
    yield
    own_redis._client.cache_clear()


@pytest.fixture(scope="session")
def mnist():
    return load_mnist("test")


@pytest.fixture(scope="session")
def seven(mnist):
    """The PNG of MNIST's first test image, a 7."""
    return mnist_png(mnist, 0)


@pytest.fixture
def proxies(settings):
    """Proxies are trusted in private networks, and on this machine."""
    settings.TRUSTED_PROXIES = values.networks("NONE_SUCH", "127.0.0.0/8,10.0.0.0/8,fd00::/8")
    addresses.is_proxy.cache_clear()
    yield
    addresses.is_proxy.cache_clear()


@pytest.fixture(autouse=True)
def unknown_senders():
    """No sender has been counted or refused by this process."""
    rates._here.clear()
    quotas._spent.clear()


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """Files of a test lie in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A whole installation, started as a user starts it, shared by the tests that do it no harm."""
    with Site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="session")
def few_images(tmp_path_factory) -> dict:
    """The environment of processes that judge models on 400 of MNIST's test images."""
    folder = tmp_path_factory.mktemp("few")
    write_few_images(folder)
    return {"MNIST_DIR": folder}


@pytest.fixture(scope="module")
def own_site(request, tmp_path_factory, few_images):
    """A whole installation for the tests of one file, which may kill or change parts of it.

    The file's SETTINGS, where it has some, are the installation's.
    """
    settings = few_images | getattr(request.module, "SETTINGS", {})
    with Site(tmp_path_factory.mktemp("own"), **settings) as running:
        yield running


@pytest.fixture(scope="session")
def manage():
    """Run a command of manage.py in a process of its own."""
    from tests.site import run_manage

    def run(*words, **environment) -> subprocess.CompletedProcess:
        return run_manage(words, environment)

    return run
