"""Do all faults, and write the table: `python -m tests.system.faults`, or `make faults`."""

import argparse
import contextlib
import re
import subprocess
import sys
import traceback
from pathlib import Path

import requests

from tests.postgres import MISSING, Postgres, has_postgresql
from tests.system.faults.homes import HOMES
from tests.system.faults.judge import Verdict
from tests.system.faults.registry import FAULTS
from tests.system.faults.results import Results
from tests.system.faults.scene import Fault, Scene
from tests.system.faults.table import cells, machine, page

DATABASES = ("sqlite", "postgresql")
# Of the suite itself: the fault could not be done, or nobody could look at what it did.
FAILURES = (AssertionError, OSError, requests.RequestException, subprocess.SubprocessError)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split(":", 1)[0])
    parser.add_argument("--database", action="append", choices=DATABASES, help="default: both")
    parser.add_argument("--only", default="", help="faults whose names match this pattern")
    parser.add_argument("--results", type=Path, default=Path("var/faults"))
    parser.add_argument("--page", type=Path, help="write the page with the tables")
    options = parser.parse_args()
    for database in options.database or DATABASES:
        if database == "postgresql" and not has_postgresql():
            print(f"postgresql: {MISSING}")
            continue
        results = Results(options.results / f"{database}.json")
        wanted = [one for one in FAULTS if re.search(options.only, one.name)]
        do([one for one in wanted if database in one.on], database, results)
    found = {name: Results(options.results / f"{name}.json") for name in DATABASES}
    text = page(found, [fault.name for fault in FAULTS])
    print(text)
    if options.page:
        options.page.write_text(text)
    verdicts = [one for results in found.values() for one in results.verdicts.values()]
    return 0 if all(one.is_clean for one in verdicts) else 1


def do(faults: list[Fault], database: str, results: Results) -> None:
    """Do faults, those of one kind of installation after each other."""

    def keep(verdict: Verdict) -> None:
        results.keep(verdict, machine())
        print(
            database, *cells(verdict), verdict.statuses, *verdict.notes[:5], sep=" | ", flush=True
        )

    with Postgres() if database == "postgresql" else contextlib.nullcontext() as server:
        for name, home in HOMES.items():
            own = {fault: fault.needs() for fault in faults if fault.home == name}
            for fault, missing in own.items():
                if missing:
                    keep(Verdict(fault.name, skipped=missing))
            if able := [fault for fault, missing in own.items() if not missing]:
                with home(server) as scene:
                    for fault in able:
                        keep(_one(scene, fault))


def _one(scene: Scene, fault: Fault) -> Verdict:
    """Do one fault, after which the installation is ready for the next."""
    try:
        return scene.run(fault)
    except FAILURES as error:
        traceback.print_exc()
        return Verdict(fault.name, unjudged=f"{type(error).__name__}: {error}"[:200])
    finally:
        scene.make_well()


if __name__ == "__main__":
    sys.exit(main())
