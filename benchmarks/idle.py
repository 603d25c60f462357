"""What an installation takes while nobody uses it: `python -m benchmarks.idle`.

The seconds until a first and a second start are ready to read, the memory of each process once they
are (proportional set size: what it shares is divided among those that share it), and the share of a
core that all of them take in 20 seconds.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.processes import memory_of, name_of
from tests.site import Site

SETTLED_SECONDS, IDLE_SECONDS = 10, 20


def measure() -> dict:
    # What was converted before is not there, as on a new machine.
    with tempfile.TemporaryDirectory() as folder:
        # The product's own defaults, where the tests' sites look more often.
        defaults = {"LEASE_SECONDS": 40, "SWEEP_SECONDS": 10}
        converted = {"CONVERTED_DIR": f"{folder}/converted"}
        site = Site(Path(folder) / "site", **defaults, **converted)
        try:
            first = _seconds_until_ready(site)
            site.stop()
            second = _seconds_until_ready(site)
            time.sleep(SETTLED_SECONDS)
            memory = _memory(site)
            before = _processor_seconds(site)
            time.sleep(IDLE_SECONDS)
            share = (_processor_seconds(site) - before) / IDLE_SECONDS
        finally:
            site.stop()
    return {
        "first_start_s": first,
        "second_start_s": second,
        "memory_mb": memory | {"all": sum(memory.values())},
        "percent_of_a_core": round(100 * share, 2),
    }


def _seconds_until_ready(site: Site) -> float:
    started = time.monotonic()
    site.start()
    return round(time.monotonic() - started, 1)


def _memory(site: Site) -> dict[str, int]:
    found: dict[str, int] = {}
    for pid, command in site.processes().items():
        name = name_of(command)
        found[name] = found.get(name, 0) + round(memory_of(pid))
    return found


def _processor_seconds(site: Site) -> float:
    ticks = 0
    for pid in site.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    print(json.dumps(measure(), indent=2))


if __name__ == "__main__":
    main()
