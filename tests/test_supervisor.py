"""The supervisor on processes that live, die, hang, and take over from each other."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from digits import supervisor
from digits.signs import EVERY_SECONDS
from digits.supervisor import Service, Supervisor
from tests.site import ROOT, eventually

PROGRAM = """
import os, signal, sys, time
from digits import signs
signs.begin()
kind, seconds = sys.argv[1], float(sys.argv[2])
if kind == "slow to end":
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(seconds), sys.exit()))
if kind == "fails at once":
    sys.exit(3)
if kind == "crashes":
    os.kill(os.getpid(), signal.SIGSEGV)
if kind == "says why":
    print("about to begin", file=sys.stderr)
    raise LookupError("expected a table, received none")
if kind == "writes a log":
    with open(sys.argv[3], "a") as log:
        log.write("Failed opening the socket: it is in use\\nbye\\n")
    sys.exit(1)
if kind == "with a child" and os.fork() == 0:
    os.nice(1)
while True:
    if kind != "gives no sign":
        signs.send()
    time.sleep(0.1)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)

    def service(name: str, kind: str = "", seconds: float = 0, **fields) -> Service:
        command = [sys.executable, str(path), kind, str(seconds)]
        fields = {"signs": 1, "environment": {"PYTHONPATH": str(ROOT)}} | fields
        return Service(name, command, **fields)

    return service


@contextlib.contextmanager
def supervised(*services: Service, stuck_seconds: float = 3):
    """A supervisor that runs in this process, in a thread: its signals are called directly."""
    lines, restarted = [], []
    ours = Supervisor(list(services), lines.append, stuck_seconds, restarted.append)
    ours.lines, ours.restarted = lines, restarted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor.signal, "signal", lambda *_: None)
        patch.setattr(supervisor, "die_with_parent", None)  # it is about the starting thread
        thread = threading.Thread(target=ours.run)
        thread.start()
        try:
            eventually(lambda: all(service.is_ready() for service in ours.services))
            yield ours
        finally:
            ours._stop(signal.SIGTERM, None)
            thread.join()
        assert all(service.has_ended() for service in ours.services)


def pid_of(ours: Supervisor, place: int = 0) -> int:
    process = ours.services[place].process
    return process.pid if process else 0


def test_what_is_stuck_is_killed_and_started_again(program):
    with supervised(program("one"), program("two")) as ours:
        first, other = pid_of(ours), pid_of(ours, 1)
        os.kill(first, signal.SIGSTOP)
        eventually(lambda: pid_of(ours) not in (0, first), 20)
        assert pid_of(ours, 1) == other
    assert [line for line in ours.lines if "stuck" in line] == [
        f"one is stuck (process {first}): it is killed"
    ]


def test_a_stuck_child_is_killed_alone(program):
    with supervised(program("parent", "with a child", signs=2)) as ours:
        parent = pid_of(ours)
        (child,) = set(ours.services[0]._silent) - {parent}
        os.kill(child, signal.SIGSTOP)
        eventually(lambda: any(f"process {child}" in line for line in ours.lines), 20)
        time.sleep(1)
        assert pid_of(ours) == parent


def test_what_starts_is_left_alone_however_long_it_takes(program):
    slow = program("slow", "gives no sign")
    with supervised(program("one"), stuck_seconds=1) as ours:
        ours.services.append(slow)
        eventually(lambda: slow.process)
        time.sleep(3)
        assert not any("stuck" in line for line in ours.lines)


def test_a_machine_that_stood_still_kills_nobody(program):
    """All processes are stopped together, as in a virtual machine that is suspended."""
    with supervised(program("one")) as ours:
        first = pid_of(ours)
        os.kill(first, signal.SIGSTOP)
        service = ours.services[0]
        service._looked_at -= 60  # the supervisor did not look, either
        time.sleep(1)
        os.kill(first, signal.SIGCONT)
        time.sleep(1)
        assert pid_of(ours) == first
        assert not any("stuck" in line for line in ours.lines)


def test_one_takes_over_from_the_other_which_finishes_what_it_has_begun(program):
    slow = program("slow", "slow to end", 2, overlaps=True)
    with supervised(slow, program("alone")) as ours:
        old, alone = pid_of(ours), pid_of(ours, 1)
        began = time.monotonic()
        ours._ask_to_restart(signal.SIGUSR1, None)
        eventually(lambda: pid_of(ours) not in (0, old))
        assert slow.process.poll() is None  # the old one is still there
        eventually(lambda: ours.restarted)
        assert ours.restarted == [[]]
        assert slow.process.returncode == 0  # it was not killed
        assert time.monotonic() - began > 2
        assert pid_of(ours, 1) not in (0, alone)


def test_one_that_cannot_start_does_not_take_over(program):
    with supervised(program("one", overlaps=True)) as ours:
        old = pid_of(ours)
        ours.services[0].command[2] = "fails at once"
        ours._ask_to_restart(signal.SIGUSR1, None)
        eventually(lambda: ours.restarted)
        assert ours.restarted == [["one ended (exit status 3)"]]
        assert pid_of(ours) == old
        os.kill(old, 0)


def test_what_crashes_says_where(program, capfd):
    service = program("one", "crashes")
    service.start()
    assert service.process.wait(timeout=10) == -signal.SIGSEGV
    said = capfd.readouterr().err
    assert "Segmentation fault" in said
    assert f'"{service.command[1]}", line 11 in <module>' in said


def test_what_dies_twice_has_its_reason_named_from_what_it_wrote(program, capfd):
    bad = program("bad", "says why")
    with supervised(program("one")) as ours:
        ours.services.append(bad)
        wanted = (
            "bad has ended 2 times; its log says why: LookupError: expected a table, received none"
        )
        eventually(lambda: wanted in ours.lines, 20)
        assert not any("ended 1 times" in line for line in ours.lines)
        said = capfd.readouterr().err
    assert said.count("about to begin") >= 2  # nothing is kept from the common log
    assert said.count("LookupError: expected a table, received none") >= 2


def test_what_dies_twice_has_its_reason_named_from_its_own_log(program, tmp_path):
    path = tmp_path / "bad.log"
    path.write_text("an error of an earlier start\n")
    bad = program("bad", "writes a log", log=path)
    bad.command.append(str(path))
    with supervised(program("one")) as ours:
        ours.services.append(bad)
        wanted = "bad has ended 2 times; its log says why: Failed opening the socket: it is in use"
        eventually(lambda: wanted in ours.lines, 20)


def test_the_stages_end_one_after_the_other(program):
    web = program("web", "slow to end", 1.5, stage=0)
    with supervised(web, program("worker", stage=1), program("redis", stage=2)) as ours:
        web_ends = threading.Thread(target=web.process.wait)
        web_ends.start()
        ours._stop(signal.SIGTERM, None)
        time.sleep(1)
        assert web_ends.is_alive()
        assert not any(service.has_ended() for service in ours.services)
        web_ends.join()
    assert web.process.returncode == 0


def test_whoever_is_told_twice_to_stop_does_so_at_once(program):
    with supervised(program("slow", "slow to end", 30, stop_seconds=30)) as ours:
        began = time.monotonic()
        ours._stop(signal.SIGTERM, None)
        ours._stop(signal.SIGTERM, None)
        eventually(lambda: ours.services[0].process.returncode is not None, 10)
        assert time.monotonic() - began < 8


def test_signs_come_more_often_than_the_supervisor_needs_them():
    assert EVERY_SECONDS * 4 < supervisor.STUCK_SECONDS < 60 - 10  # seconds of the next start
