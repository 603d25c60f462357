"""Print how many readings say that something is left out: `python -m benchmarks.complaints.warned`.

Each page of the kind `cut` leaves something out, and none of `plain` does.
"""

import argparse
from collections import Counter

from benchmarks.complaints import reading_of, scenes_of
from benchmarks.complaints.sheet import Scene
from worker.reading.engine import Engine
from worker.reading.reading import Reading


def leaves_out(kind: str, scene: Scene, reading: Reading) -> bool:
    """Return whether a reading leaves something out: of a full page, where not all of it is read.

    What is cut off, or stands beside the digits, is left out however the rest is read.
    """
    is_read_whole = reading.text == scene.text
    return kind == "cut" and not (scene.kind == "too many" and is_read_whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    engine = Engine()
    print("| pages | leave something out | of these, without a warning | others with one |")
    print("|---|---|---|---|")
    for kind in ("cut", "plain"):
        counted: Counter[tuple[str, str]] = Counter()
        for scene in scenes_of(kind, options.count, options.seed):
            reading = reading_of(engine, scene)
            out, is_warned = leaves_out(kind, scene, reading), bool(reading.cautions)
            for part in (kind, f"- {scene.kind}"):
                counted[part, "pages"] += 1
                counted[part, "out"] += out
                counted[part, "silent"] += out and not is_warned
                counted[part, "alarms"] += is_warned and not out
        for part in (kind, *sorted({part for part, _ in counted} - {kind})):
            row = (counted[part, name] for name in ("pages", "out", "silent", "alarms"))
            print(f"| {part}: {next(row)} | " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
