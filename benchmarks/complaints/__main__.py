"""Print what share of each kind is read right: `python -m benchmarks.complaints`."""

import argparse

import numpy as np

from benchmarks.complaints import KINDS, scenes_of, text_of
from worker.reading.engine import Engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    engine = Engine()
    print("| kind | pages | read right |\n|---|---|---|")
    for kind in options.kinds or KINDS:
        scenes = scenes_of(kind, options.count, options.seed)
        right = [text_of(engine, scene) == scene.text for scene in scenes]
        print(f"| {kind} | {len(scenes)} | {np.mean(right):.1%} |")
        for part in sorted({scene.kind for scene in scenes}):
            own = [good for good, scene in zip(right, scenes, strict=True) if scene.kind == part]
            print(f"| - {part} | {len(own)} | {np.mean(own):.1%} |")


if __name__ == "__main__":
    main()
