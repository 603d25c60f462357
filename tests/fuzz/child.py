"""The process that reads: python -m tests.fuzz.child READER SEED FIRST LAST.

For each input it writes a line: the outcome, seconds of the processor, megabytes beside those at
its start, and an exception that is no error of ours, as JSON. The process that started it watches.
"""

import json
import os
import random
import resource
import sys
import time
import traceback
import warnings

ROOM = 4 * 1024**3  # bytes of address space beside those at the start, to protect the machine
OF_ALL = 0.004  # the share of inputs that may come from large files: they take a second each
REFUSED, READ, FAULT = "refused", "read", "fault"


def made(reader: str, seed: int, number: int) -> bytes:
    """Return an input: the same for the same seed and number."""
    from tests.fuzz.corpus import corpus
    from tests.fuzz.mutations import mutated
    from tests.fuzz.readers import READERS

    rng = random.Random(f"{reader} {seed} {number}")
    files = corpus(reader)
    small = [one for one in files if len(one) < 1_000_000]
    if number < len(files):
        return files[number]
    data = rng.choice(files if rng.random() < OF_ALL else small)
    return mutated(data, rng.choice(small), rng, is_text=READERS[reader].is_text)


def outcome(reader: str, data: bytes) -> tuple[str, str]:
    """Read an input; return what came of it, and the traceback of a fault."""
    from tests.fuzz.readers import READERS

    one = READERS[reader]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one.read(data)
    except one.errors:
        return REFUSED, ""
    except Exception:
        return FAULT, traceback.format_exc()
    return READ, ""


def main() -> None:
    reader, seed, first, last = sys.argv[1], *map(int, sys.argv[2:])
    lines, sys.stdout = sys.stdout, sys.stderr  # what readers print is no line of ours
    outcome(reader, made(reader, seed, 0))  # all is loaded
    resource.setrlimit(resource.RLIMIT_AS, (_kilobytes("VmSize") * 1024 + ROOM,) * 2)
    at_start = _kilobytes("VmRSS")
    print("ready", file=lines, flush=True)
    for number in range(first, last):
        data = made(reader, seed, number)
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak of memory is what is taken now
        before = time.process_time()
        what, fault = outcome(reader, data)
        seconds = time.process_time() - before
        megabytes = (_kilobytes("VmHWM") - at_start) / 1024
        print(
            json.dumps([what, round(seconds, 3), round(megabytes), fault]), file=lines, flush=True
        )


def _kilobytes(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(f"{name}:"))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    main()
