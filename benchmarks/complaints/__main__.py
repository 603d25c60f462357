"""Print what share of each kind is read right: `python -m benchmarks.complaints`.

Beside it is the share of the same pages without what makes the kind hard: the note without the
desk, the page before it was turned, the numbers without lines. What is wrong there, too, is the
reading of digits.
"""

import argparse

import numpy as np

from benchmarks.complaints import KINDS, plain_text_of, scenes_of, text_of
from benchmarks.complaints.sheet import Scene
from worker.reading.engine import Engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    engine = Engine()
    print("| kind | pages | read right | read right without it |\n|---|---|---|---|")
    for kind in options.kinds or KINDS:
        scenes = scenes_of(kind, options.count, options.seed)
        right = [text_of(engine, scene) == scene.text for scene in scenes]
        plain = [_is_plain_right(engine, scene) for scene in scenes]
        parts = np.array([scene.kind for scene in scenes])
        print(_row(kind, right, plain))
        for part in np.unique(parts):
            own = np.flatnonzero(parts == part)
            print(_row(f"- {part}", [right[n] for n in own], [plain[n] for n in own]))


def _is_plain_right(engine: Engine, scene: Scene) -> bool | None:
    text = plain_text_of(engine, scene)
    return None if text is None else text == scene.text


def _row(name: str, right: list[bool], plain: list[bool | None]) -> str:
    known = [good for good in plain if good is not None]
    share = f"{np.mean(known):.1%}" if known else "-"
    return f"| {name} | {len(right)} | {np.mean(right):.1%} | {share} |"


if __name__ == "__main__":
    main()
