"""Print what share of each kind is read right: `python -m benchmarks.complaints`.

Beside it is the share that is read right or has a warning, and the share of the same pages without
what makes the kind hard: the note without the desk, the page before it was turned, the numbers
without lines. What is wrong there, too, is the reading of digits.
"""

import argparse

import numpy as np

from benchmarks.complaints import KINDS, plain_text_of, reading_of, scenes_of
from benchmarks.complaints.sheet import Scene
from worker.reading.engine import Engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    engine = Engine()
    print(
        "| kind | pages | read right | right or warned | right without it |\n|---|---|---|---|---|"
    )
    for kind in options.kinds or KINDS:
        scenes = scenes_of(kind, options.count, options.seed)
        readings = [reading_of(engine, scene) for scene in scenes]
        right = [one.text == scene.text for one, scene in zip(readings, scenes, strict=True)]
        warned = [good or bool(one.cautions) for good, one in zip(right, readings, strict=True)]
        plain = [_is_plain_right(engine, scene) for scene in scenes]
        parts = np.array([scene.kind for scene in scenes])
        print(_row(kind, right, warned, plain))
        for part in np.unique(parts):
            own = np.flatnonzero(parts == part)
            print(_row(f"- {part}", *([of[n] for n in own] for of in (right, warned, plain))))


def _is_plain_right(engine: Engine, scene: Scene) -> bool | None:
    text = plain_text_of(engine, scene)
    return None if text is None else text == scene.text


def _row(name: str, right: list[bool], warned: list[bool], plain: list[bool | None]) -> str:
    known = [good for good in plain if good is not None]
    share = f"{np.mean(known):.1%}" if known else "-"
    return f"| {name} | {len(right)} | {np.mean(right):.1%} | {np.mean(warned):.1%} | {share} |"


if __name__ == "__main__":
    main()
