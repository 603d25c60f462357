"""Do all faults, and write the table: `python -m tests.system.faults`, or `make faults`.

The results of a database are kept as JSON, so that a page has those of several runs.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import requests

from tests.postgres import MISSING, Postgres, has_postgresql
from tests.system.faults.homes import HOMES
from tests.system.faults.judge import Count, Verdict
from tests.system.faults.registry import FAULTS
from tests.system.faults.scene import Fault, Scene
from tests.system.faults.table import cells, machine, page

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--database", action="append", choices=DATABASES, help="default: both")
    parser.add_argument("--only", default="", help="faults whose names match this pattern")
    parser.add_argument("--home", choices=HOMES, help="faults of one kind of installation")
    parser.add_argument("--results", type=Path, default=Path("var/faults"))
    parser.add_argument("--page", type=Path, help="write the page with the tables")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    for database in options.database or DATABASES:
        if database == "postgresql" and not has_postgresql():
            print(f"postgresql: {MISSING}")
            continue
        faults = [
            one
            for one in FAULTS
            if re.search(options.only, one.name)
            and database in one.on
            and options.home in (None, one.home)
        ]
        verdicts = do(faults, database)
        result = {"machine": machine(), "verdicts": [asdict(one) for one in verdicts]}
        (options.results / f"{database}.json").write_text(json.dumps(result, indent=1))
    text = page({name: _kept(options.results / f"{name}.json") for name in DATABASES})
    print(text)
    if options.page:
        options.page.write_text(text)
    return 0


def do(faults: list[Fault], database: str) -> list[Verdict]:
    """Do faults, those of one kind of installation after each other; return them in their order."""
    verdicts: dict[str, Verdict] = {}
    with Postgres() if database == "postgresql" else contextlib.nullcontext() as server:
        for name, home in HOMES.items():
            own = [fault for fault in faults if fault.home == name]
            for fault in own:
                if reason := fault.needs():
                    verdicts[fault.name] = Verdict(fault.name, skipped=reason)
            if able := [fault for fault in own if fault.name not in verdicts]:
                with home(server) as scene:
                    verdicts |= {fault.name: _one(scene, fault, database) for fault in able}
    return [verdicts[fault.name] for fault in faults]


def _one(scene: Scene, fault: Fault, database: str) -> Verdict:
    try:
        verdict = scene.run(fault)
    except (
        AssertionError,
        OSError,
        requests.RequestException,
        subprocess.SubprocessError,
    ) as error:
        traceback.print_exc()
        verdict = Verdict(fault.name, skipped=f"{type(error).__name__}: {error}"[:200])
    print(database, *cells(verdict), verdict.statuses, *verdict.notes[:5], sep=" | ", flush=True)
    scene.make_well()
    return verdict


def _kept(path: Path) -> tuple[str, list[Verdict]] | None:
    """Return what the machine was, and the verdicts, of the last run; None where there is none."""
    if not path.exists():
        return None
    result = json.loads(path.read_text())
    verdicts = [
        Verdict(**one | {"uploads": Count(**one["uploads"]), "rows": Count(**one["rows"])})
        for one in result["verdicts"]
    ]
    return result["machine"], verdicts


if __name__ == "__main__":
    sys.exit(main())
