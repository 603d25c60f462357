"""Look for inputs that run new lines of Python: python -m tests.fuzz.guided READER SECONDS.

The reader "images" reads files of all its formats, as they come to one function.

Atheris, a fuzzer guided by coverage, changes files with our mutations and with its own. It stops at
the first fault, and writes the input to var/fuzz/. What it keeps of the comparisons it saw grows by
up to 10 MB a second, so a process is ended after a round, and the next goes on with the corpus. It
runs where Atheris is installed: on Linux on x86_64 (requirements-dev.txt).

Source: Google, "Atheris: A Coverage-Guided, Native Python Fuzzer".
"""

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import atheris

FOLDER = Path(__file__).parents[2] / "var" / "fuzz"
PATIENCE = 20  # seconds of a wall clock for one input, on a machine with other work
ROUND_SECONDS = 180
MEGABYTES = 4000  # of the process
LONGEST = 1_000_000  # bytes of an input
OURS = 0.7  # the share of inputs that our own mutations make
# What reads; what computes has no branches that depend on a file.
LOOKED_AT = [
    *("worker", "digits.forms", "digits.views.program", "multipart", "zipfile", "gzip", "csv"),
    *("PIL", "pillow_heif"),
]


def main(reader: str, seconds: int) -> int:
    """Run rounds until so many seconds are over; return the exit status of the last one."""
    end, number = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        number += 1
        words = [reader, str(max(1, round(min(left, ROUND_SECONDS)))), str(number)]
        command = [sys.executable, "-m", "tests.fuzz.guided", *words]
        if status := subprocess.run(command).returncode:
            return status
    return 0


def run(reader: str, seconds: int, seed: int) -> None:
    """Change and read inputs in this process, which ends with it."""
    with atheris.instrument_imports(include=LOOKED_AT):
        from tests.fuzz.child import FAULT, outcome
        from tests.fuzz.corpus import corpus
        from tests.fuzz.mutations import mutated
        from tests.fuzz.readers import IMAGES, READERS
    kinds = IMAGES if reader == "images" else (reader,)
    files = [one for kind in kinds for one in corpus(kind) if len(one) < LONGEST]
    for data in files:  # all is loaded, which takes longer than an input may
        outcome(kinds[0], data)

    def read(data: bytes) -> None:
        what, fault = outcome(kinds[0], data)
        if what == FAULT:
            raise AssertionError(fault)

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() > OURS:
            return atheris.Mutate(data, most)
        return mutated(data, rng.choice(files), rng, is_text=READERS[kinds[0]].is_text)[:most]

    words = [
        *(sys.argv[0], str(_seeds(reader, files)), f"-max_total_time={seconds}", f"-seed={seed}"),
        *(f"-timeout={PATIENCE}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}"),
        *("-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={FOLDER}/{reader}-"),
    ]
    atheris.Setup(words, read, custom_mutator=change)
    atheris.Fuzz()


def _seeds(reader: str, files: list[bytes]) -> Path:
    """Return the folder of a reader's corpus, to which Atheris adds what runs new lines."""
    folder = FOLDER / "corpus" / reader
    folder.mkdir(parents=True, exist_ok=True)
    for data in files:
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)
    return folder


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    if sys.argv[1] == "model":
        os.environ.setdefault("KERAS_BACKEND", "openvino")
    if len(sys.argv) > 3:
        run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1], int(sys.argv[2])))
