"""One load of a server by wrk."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.bodies import COUNT, Bodies
from benchmarks.peers.servers import Running

SCRIPT = Path(__file__).with_name("post.lua")
SECONDS_FOR_LAST_ANSWERS = 40
TIMEOUT = 30  # after which wrk counts an answer as failed


@dataclass
class Load:
    """What came of one load.

    answers: those with a status of 2xx or 3xx, of which no server here gives one, at any time.
    rate: those in time, a second.
    failed: other answers, and broken connections.
    """

    answers: int
    rate: float
    failed: int
    median_ms: float
    p99_ms: float


def run(server: Running, bodies: Bodies, connections: int, seconds: int) -> Load:
    """Post for so many seconds; each connection sends its next request at the answer to its last.

    wrk takes one thread, and waits for the last answer of each connection.

    Raises:
        RuntimeError: wrk could not reach the server, or did not end in time.
    """
    limit = seconds + SECONDS_FOR_LAST_ANSWERS
    options = ["-t1", f"-c{connections}", f"-d{limit}s", f"--timeout={TIMEOUT}s", "-s", SCRIPT]
    words = [bodies.place(server.raw), COUNT, seconds, bodies.content_type(server.raw), connections]
    found = _wrk([*options, server.url, "--", *map(str, words)], limit + 10)
    # A call without an answer before it is the first of each connection.
    in_time = found["calls_in_time"] - connections - found["refused"]
    return Load(
        answers=found["answers"] - found["refused"],
        rate=round(max(0, in_time) / seconds, 1),
        failed=found["refused"] + found["broken"],
        median_ms=round(found["median_ms"], 2),
        p99_ms=round(found["p99_ms"], 2),
    )


def _wrk(words: list, limit: float) -> dict:
    try:
        done = subprocess.run(
            ["wrk", *words], capture_output=True, text=True, check=True, timeout=limit
        )
    except subprocess.SubprocessError as error:
        output = f"{error.stdout or ''}{error.stderr or ''}"
        raise RuntimeError(f"expected wrk to end well, received: {error}\n{output}") from error
    return json.loads(done.stdout.splitlines()[-1])


def other_work(seconds: float = 0.5) -> float:
    """Return the share of the processor that is taken while nothing of ours runs."""
    before = _ticks()
    time.sleep(seconds)
    busy, total = (now - then for now, then in zip(_ticks(), before, strict=True))
    return busy / max(total, 1)


def _ticks() -> tuple[int, int]:
    """Return the processor's time so far: what was busy, and all."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)
