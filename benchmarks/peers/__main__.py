"""Uploads a second beside other servers of models: `python -m benchmarks.peers`.

Each round starts the product and its peers one after the other, checks that each reads ten digits
right, and lets wrk post MNIST's test images at 1, 16 and 64 connections. All have the same
model, the peers in Keras; the product stores each upload and what it read, the peers only answer.
The original loads its model in each request; it has one turn, at 1 connection. With the defaults it
takes about ten minutes, and each step has a limit. An answer that is not 2xx fails the run.

It needs wrk (Debian's package wrk), and makes an environment for the peers once.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.peers import environment, load, report
from benchmarks.peers.bodies import Bodies
from benchmarks.peers.load import Load
from benchmarks.peers.servers import NAMES, ORIGINAL, PRODUCT, Running, running

ENVIRONMENT = Path("var/peers/venv")
WARM_UP_SECONDS = 1


@dataclass
class Measurement:
    """Loads of all servers, and what the product has stored of its own.

    answered: how many uploads the product answered with 2xx, also in warm-ups and checks; failed:
        how many otherwise or not at all.
    other_work: the largest share of the processor that other work took before a start.
    """

    bodies: Bodies
    python: Path
    connections: list[int]
    seconds: int
    loads: report.Loads = field(default_factory=dict)
    answered: int = 0
    failed: int = 0
    stored: Counter = field(default_factory=Counter)
    other_work: float = 0.0
    problems: list[str] = field(default_factory=list)

    def of(self, name: str):
        """Start a server, load it, and end it."""
        self.other_work = max(self.other_work, load.other_work())
        try:
            with running(name, self.python, self.bodies) as server:
                self._of(name, server)
        except RuntimeError as error:
            self.problems.append(f"{name}: {error}")

    def _of(self, name: str, server: Running):
        answered, failed = self.bodies.check(server.url, server.raw), 0
        for connections in [1] if name == ORIGINAL else self.connections:
            for seconds in (WARM_UP_SECONDS, self.seconds):
                found = self._load(name, server, connections, seconds)
                answered, failed = answered + found.answers, failed + found.failed
            self.loads.setdefault(name, {}).setdefault(connections, []).append(found)
        if server.stored:
            self.answered, self.failed = self.answered + answered, self.failed + failed
            self.stored.update(server.stored())

    def _load(self, name: str, server: Running, connections: int, seconds: int) -> Load:
        found = load.run(server, self.bodies, connections, seconds)
        _progress(f"{name}, {connections} connections, {seconds} s: {found.rate} a second")
        if found.failed:
            self.problems.append(
                f"{name} at {connections} connections: {found.failed} requests of"
                f" {found.answers + found.failed} had no answer with 2xx"
            )
        return found

    def check_what_is_stored(self):
        if self.stored != Counter(done=self.answered):
            self.problems.append(f"expected as many uploads done as answers: {self.summary()}")

    def summary(self) -> str:
        stored = ", ".join(f"{count} {status}" for status, count in sorted(self.stored.items()))
        return (
            f"{PRODUCT} answered {self.answered} uploads with 2xx and {self.failed} otherwise;"
            f" its database holds {stored or 'none'}"
        )


def main():
    options = _options()
    try:
        python = environment.prepare(options.environment.absolute())
    except RuntimeError as error:
        sys.exit(str(error))
    machine = report.machine(python)
    with tempfile.TemporaryDirectory(prefix="digits-peers-") as folder:
        measurement = Measurement(
            Bodies(Path(folder)), python, options.connections, options.seconds
        )
        for name in _order(options.only, options.rounds):
            measurement.of(name)
    if PRODUCT in options.only:
        measurement.check_what_is_stored()
    _show(measurement, machine, options)
    if measurement.problems:
        sys.exit("FAILED\n" + "\n".join(measurement.problems))


def _order(names: list[str], rounds: int) -> list[str]:
    """Return the servers in the order of their turns: each round begins with another one."""
    order = []
    for number in range(rounds):
        first = number % len(names)
        turns = names[first:] + names[:first]
        order += [name for name in turns if name != ORIGINAL or number == 0]
    return order


def _show(measurement: Measurement, machine: dict, options: argparse.Namespace):
    measured = [name for name in options.only if name in measurement.loads]
    figures = report.medians({name: measurement.loads[name] for name in measured})
    machine["other_work"] = f"{measurement.other_work:.0%} of the processor before a start"
    if options.json:
        print(json.dumps(_as_dict(measurement, machine, figures), indent=2))
        return
    print(report.described(machine))
    print(f"\nMedians of {options.rounds} rounds of {options.seconds} s; in brackets digits/peer\n")
    print(report.table(figures, options.connections))
    if PRODUCT in measured:
        print(f"\n{measurement.summary()}")


def _as_dict(measurement: Measurement, machine: dict, figures: dict) -> dict:
    rounds = {
        name: {count: [asdict(one) for one in loads] for count, loads in own.items()}
        for name, own in measurement.loads.items()
    }
    own = {name: getattr(measurement, name) for name in ("answered", "failed", "stored")}
    problems = measurement.problems
    return {
        "machine": machine,
        "medians": figures,
        "rounds": rounds,
        PRODUCT: own,
        "problems": problems,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=SUMMARY)
    parser.add_argument("--rounds", type=_number, default=3)
    parser.add_argument("--seconds", type=_number, default=5, help="of each load")
    parser.add_argument("--connections", type=_numbers, default=[1, 16, 64], metavar="1,16,64")
    parser.add_argument("--only", type=_names, default=list(NAMES), metavar=",".join(NAMES))
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="of the peers")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if 1 not in options.connections and ORIGINAL in options.only:
        options.only.remove(ORIGINAL)
    if not shutil.which("wrk"):
        parser.error("expected the program wrk (Debian's package wrk), found none")
    return options


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, received {text}")
    return int(text)


def _numbers(text: str) -> list[int]:
    return sorted({_number(word) for word in text.split(",")})


def _names(text: str) -> list[str]:
    if unknown := set(text.split(",")) - set(NAMES):
        expected, received = ", ".join(NAMES), ", ".join(sorted(unknown))
        raise argparse.ArgumentTypeError(f"expected {expected}, received {received}")
    return [name for name in NAMES if name in text.split(",")]


def _progress(line: str):
    print(line, file=sys.stderr, flush=True)


SUMMARY = __doc__.split("\n", 1)[0]

if __name__ == "__main__":
    main()
