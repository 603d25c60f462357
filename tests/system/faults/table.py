"""The tables of faults, and the page that they are on."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from tests.system.faults.driver import RATE
from tests.system.faults.judge import Verdict
from tests.system.faults.results import Results
from tests.system.faults.scene import LONGEST_RECOVERY, ROWS

HEAD = ("fault", "sent", "accepted", "done", "failed with reason", "lost", "twice", "seconds")
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
INTRODUCTION = Path(__file__).parent / "introduction.md"


def page(results: Mapping[str, Results], order: Sequence[str]) -> str:
    """Return the page, in Markdown, with a table for each database, its faults in this order."""
    text = INTRODUCTION.read_text()
    parts = [text.format(rate=RATE, rows=ROWS, longest=LONGEST_RECOVERY)]
    for database, found in results.items():
        verdicts = [found.verdicts[name] for name in order if name in found.verdicts]
        if verdicts:
            parts.append(
                f"## {NAMES[database]}\n\n{found.machine}. {told(verdicts)}\n\n{table(verdicts)}\n"
            )
    return "\n".join(parts)


def told(verdicts: Sequence[Verdict]) -> str:
    """Return what all faults have cost, in a sentence."""
    done = [one for one in verdicts if not (one.skipped or one.unjudged)]
    lost = sum(one.uploads.lost + one.rows.lost for one in done)
    twice = sum(one.uploads.twice + one.rows.twice for one in done)
    accepted = sum(one.uploads.accepted for one in done)
    rows = sum(one.rows.accepted for one in done)
    seconds = [one.seconds for one in done]
    slow = sum(one is None for one in seconds)
    longest = max((one for one in seconds if one is not None), default=0.0)
    never = f", {slow} never" if slow else ""
    return (
        f"{len(done)} faults, {accepted:,} uploads and {rows:,} rows accepted: {lost} lost, {twice}"
        f" twice; the slowest recovered within {longest:.1f} s{never}."
    )


def table(verdicts: Iterable[Verdict]) -> str:
    """Return a table in Markdown, with a line for each fault."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|" + "---:|" * (len(HEAD) - 1)]
    lines += [f"| {' | '.join(cells(one))} |" for one in verdicts]
    return "\n".join(lines)


def cells(verdict: Verdict) -> list[str]:
    """Return the cells of a fault: uploads and rows of batches."""
    if verdict.skipped:
        return [f"{verdict.fault}: not done here, {verdict.skipped}", *[""] * (len(HEAD) - 1)]
    if verdict.unjudged:
        return [f"{verdict.fault}: not judged, {verdict.unjudged}", *[""] * (len(HEAD) - 1)]
    pairs = [
        f"{getattr(verdict.uploads, name):,} + {getattr(verdict.rows, name):,}"
        for name in ("accepted", "done", "failed", "lost", "twice")
    ]
    seconds = "never" if verdict.seconds is None else f"{verdict.seconds:.1f}"
    return [verdict.fault, str(verdict.sent), *pairs, seconds]


def machine() -> str:
    """Return what the machine is, and the date, in words."""
    kinds = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    kernel = platform.release().split("-")[0]
    return (
        f"{os.cpu_count()} cores ({', '.join(sorted(kinds))}), {memory:.0f} GB,"
        f" {platform.system()} {kernel}, {date.today():%-d %B %Y};"
        f" {os.getloadavg()[2]:.0f} processes wanted a core on average (15 minutes, these included)"
    )
