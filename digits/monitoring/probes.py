"""Health checks of containers: `python -m digits.monitoring.probes web|classify|trainer|beat`.

The exit status is 0 where the process of this container is well, and 1 where it is not, with the
reason. None of them imports Django, which would take seconds of the processor at each check.
"""

import contextlib
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis

SECONDS = 5  # for an answer
SWEEP_SECONDS = 10  # as webapp.settings has it
SCHEDULE_SECONDS = 600  # beat saves its schedule every three minutes


class Unwell(Exception):
    """A process does not do its work."""


def web() -> None:
    """Alive, not ready: a worker that is down must not take the site with it."""
    port = int(os.environ.get("PORT") or 8000)
    connection = http.client.HTTPConnection("localhost", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/health/live")
        status = connection.getresponse().status
    if status != http.HTTPStatus.OK:
        raise Unwell(f"the web server answers {status}")


def classify() -> None:
    """A process of this container has loaded a model, and gave a sign of life lately."""
    client = _redis()
    keys = list(client.scan_iter(f"digits:worker:{socket.gethostname()}:*", count=1000))
    found = [json.loads(sign) for sign in (client.mget(keys) if keys else []) if sign]
    if all(sign["version"] is None for sign in found):
        raise Unwell(f"of {len(found)} processes that read, none has loaded a model")


def trainer() -> None:
    """Beat orders sweeps for this worker, which notes each by the clock of Redis."""
    client = _redis()
    late = 3 * int(os.environ.get("SWEEP_SECONDS") or SWEEP_SECONDS) + 60
    since = client.time()[0] - float(client.get("digits:swept") or 0)
    if since > late:
        raise Unwell(f"no sweep for {since:.0f} s")


def beat() -> None:
    """Beat saves its schedule from time to time."""
    paths = list(Path(os.environ.get("DATA_DIR") or "var").glob("beat-schedule*"))
    saved = max((path.stat().st_mtime for path in paths), default=0.0)
    if time.time() - saved > SCHEDULE_SECONDS:
        raise Unwell("the schedule was not saved lately")


PROBES: dict[str, Callable[[], None]] = {
    "web": web,
    "classify": classify,
    "trainer": trainer,
    "beat": beat,
}


def main(words: list[str]) -> int:
    """Run one probe; return the exit status."""
    if len(words) != 1 or words[0] not in PROBES:
        print(f"expected one of {', '.join(PROBES)}", file=sys.stderr)
        return 2
    try:
        PROBES[words[0]]()
    except (Unwell, OSError, http.client.HTTPException, redis.RedisError) as error:
        print(f"{words[0]}: {error}", file=sys.stderr)
        return 1
    return 0


def _redis() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
