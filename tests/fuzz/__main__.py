"""Read thousands of mutated files by each reader: python -m tests.fuzz [READER ...].

A table says what came of them. The exit status is 1 when an exception was no error of ours, or an
input took too long, too much memory or the whole process with it. Such inputs are written to
var/fuzz/. The same seed gives the same inputs.
"""

import argparse
import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import child
from tests.fuzz.corpus import CORPORA

ROOT = Path(__file__).parents[2]
SLOWEST = 2.0  # seconds of the processor for one input
MOST_MEMORY = 300  # megabytes beside what the process has before
PATIENCE = 60  # seconds until a process that says nothing is ended
START = 300  # the same, until all is loaded
SHOWN = 5  # faults
HANG, CRASH = "hang", "crash"
COLUMNS = (
    "| reader | inputs | refused | read | faults | slowest, s | memory, MB |\n" + "|---" * 7 + "|"
)


@dataclass
class Result:
    """What came of a reader's inputs."""

    reader: str
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: int = 0
    broken: dict[int, str] = field(default_factory=dict)  # by the number of the input: why

    @property
    def inputs(self) -> int:
        return self.outcomes.total()

    def add(self, number: int, what: str, seconds: float, megabytes: int, fault: str) -> None:
        self.outcomes[what] += 1
        self.slowest = max(self.slowest, seconds)
        self.memory = max(self.memory, megabytes)
        if fault:
            self.broken[number] = fault
        elif seconds > SLOWEST or megabytes > MOST_MEMORY:
            self.broken[number] = f"it took {seconds} s and {megabytes} MB"

    def row(self) -> str:
        faults = self.inputs - self.outcomes[child.REFUSED] - self.outcomes[child.READ]
        return (
            f"| {self.reader} | {self.inputs:,} | {self.outcomes[child.REFUSED]:,} |"
            f" {self.outcomes[child.READ]:,} | {faults} | {self.slowest:.2f} | {self.memory} |"
        )


def fuzz(reader: str, seed: int, inputs: int, patience: float = PATIENCE) -> Result:
    """Have a reader read so many inputs, in processes of its own."""
    result = Result(reader)
    while result.inputs < inputs:
        reason = _run(result, seed, inputs, patience)
        if result.inputs < inputs:  # the process ended before
            result.broken[result.inputs] = reason
            result.outcomes[reason.split(":")[0]] += 1
    return result


def _run(result: Result, seed: int, inputs: int, patience: float) -> str:
    """Read in one process; return why it ended."""
    words = [result.reader, seed, result.inputs, inputs]
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.child", *map(str, words)],
        cwd=ROOT,
        env=environment(result.reader),
        stdout=subprocess.PIPE,
        bufsize=0,  # so that no line lies in a buffer while the next one is waited for
    ) as process:
        assert process.stdout
        lines = iter(lambda: _line(process, patience), None)
        if (first := _line(process, START)) != b"ready\n":
            raise RuntimeError(f"expected the reader {result.reader} to start, received {first!r}")
        for line in lines:
            if not line:
                return f"{CRASH}: exit status {process.wait()}"
            result.add(result.inputs, *json.loads(line))
        process.kill()
    return f"{HANG}: nothing for {patience:.0f} s"


def _line(process: "subprocess.Popen[bytes]", patience: float) -> bytes | None:
    """Return the process's next line; empty if it has ended, None if none comes in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        return process.stdout.readline() if selector.select(patience) else None  # type: ignore[union-attr]


def environment(reader: str) -> dict[str, str]:
    """Return the environment of a process that reads: models as where they are converted."""
    of_model = {"KERAS_BACKEND": "openvino"} if reader == "model" else {}
    return os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"} | of_model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(CORPORA))
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "fuzz")
    given = parser.parse_args()
    results = []
    print(COLUMNS)
    for reader in given.readers or CORPORA:
        results.append(result := fuzz(reader, given.seed, given.inputs))
        print(result.row(), flush=True)
        _report(result, given.seed, given.output)
    return int(any(result.broken for result in results))


def _report(result: Result, seed: int, folder: Path) -> None:
    for number, reason in list(result.broken.items())[:SHOWN]:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{result.reader}-{seed}-{number}"
        file.write_bytes(_made(result.reader, seed, number))
        print(f"{file}: {reason}", file=sys.stderr)


def _made(reader: str, seed: int, number: int) -> bytes:
    os.environ.update(environment(reader))
    return child.made(reader, seed, number)


if __name__ == "__main__":
    sys.exit(main())
