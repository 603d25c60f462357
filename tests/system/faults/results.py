"""Results that are kept from run to run, so that one fault can be done again without the others."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.system.faults.judge import Count, Verdict


class Results:
    """The last verdict on each fault on one database, and the machine and day of the last run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machine = ""
        self.verdicts: dict[str, Verdict] = {}
        if path.exists():
            kept = json.loads(path.read_text())
            self.machine = kept["machine"]
            self.verdicts = {name: _verdict(**one) for name, one in kept["verdicts"].items()}

    def keep(self, verdict: Verdict, machine: str) -> None:
        """Keep a verdict, in the file, too."""
        self.machine = machine
        self.verdicts[verdict.fault] = verdict
        verdicts = {name: asdict(one) for name, one in self.verdicts.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"machine": machine, "verdicts": verdicts}, indent=1))


def _verdict(uploads: dict, rows: dict, **fields) -> Verdict:
    return Verdict(uploads=Count(**uploads), rows=Count(**rows), **fields)
