"""The figures of all rounds: medians, ratios, and the machine they are of."""

import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

from benchmarks.peers import environment
from benchmarks.peers.load import Load
from benchmarks.peers.servers import PRODUCT

SHOWN = ("litserve", "bentoml", "fastapi", "uvicorn", "flask", "gunicorn", "mosec")
COMPUTING = ("keras", "tensorflow", "numpy", "pillow")

Loads = dict[str, dict[int, list[Load]]]  # by server and connections, of each round


def medians(loads: Loads) -> dict[str, dict[int, dict[str, float]]]:
    """Return the medians over the rounds; of a peer also the product's rate divided by its."""
    found = {
        name: {connections: _median(rounds) for connections, rounds in own.items()}
        for name, own in loads.items()
    }
    product = found.get(PRODUCT, {})
    for name, own in found.items():
        for connections, figures in own.items():
            if name != PRODUCT and connections in product and figures["rate"]:
                ratio = product[connections]["rate"] / figures["rate"]
                figures["digits_to_peer"] = round(ratio, 3)
    return found


def _median(rounds: list[Load]) -> dict[str, float]:
    middle = {
        figure: round(statistics.median(getattr(load, figure) for load in rounds), 2)
        for figure in ("rate", "median_ms", "p99_ms")
    }
    return middle | {"failed": sum(load.failed for load in rounds)}


def machine(python: Path) -> dict[str, object]:
    """Return what the figures depend on: processor, cores, and versions."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    there = environment.versions(python)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "wrk": wrk.split(" [")[0].removeprefix("wrk "),
        "versions": ", ".join(f"{name} {there[name]}" for name in (*SHOWN, *COMPUTING)),
    }


def described(machine: dict[str, object]) -> str:
    """Return the machine, a line for each of its properties."""
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in machine.items()]
    return "\n".join(lines)


def table(figures: dict[str, dict[int, dict[str, float]]], connections: list[int]) -> str:
    """Return the medians as a table; in brackets the product's rate divided by the peer's."""
    first = connections[0]
    plural = "" if first == 1 else "s"
    head = [f"{'uploads a second at':20}", *(f"{count:>16}" for count in connections)]
    head.append(f"{'median ms':>12}{'p99 ms':>10}  at {first} connection{plural}")
    lines = ["".join(head)]
    for name, own in figures.items():
        cells = [_cell(own.get(count)) for count in connections]
        if latency := own.get(first):
            cells.append(f"{latency['median_ms']:>12.1f}{latency['p99_ms']:>10.1f}")
        lines.append(f"{name:20}" + "".join(cells))
    return "\n".join(lines)


def _cell(figures: dict[str, float] | None) -> str:
    if figures is None:
        return f"{'-':>16}"
    ratio = figures.get("digits_to_peer")
    beside = "" if ratio is None else f" ({ratio:.2f})"
    failed = "!" if figures["failed"] else ""
    return f"{figures['rate']:.1f}{failed}{beside}".rjust(16)
