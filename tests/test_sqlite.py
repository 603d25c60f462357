"""SQLite's writers queue up: whoever waits writes soon after the other's commit."""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from digits.models import SmallFile
from digits.sqlite import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="other databases let several writers write"
    ),
]
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


def lock_file() -> str:
    return f"{connection.settings_dict['NAME']}-writing"


def is_free() -> bool:
    """Whether nobody holds the lock."""
    with open(lock_file(), "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def write() -> None:
    SmallFile.objects.create(content=b"few")


def in_thread(pool: ThreadPoolExecutor, work):
    """Work with a connection of its own."""

    def call():
        try:
            return work()
        finally:
            connection.close()

    return pool.submit(call)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_threads_that_write_in_turns_all_write(pool):
    def write_often() -> None:
        for _ in range(50):
            with transaction.atomic():
                write()
                time.sleep(0.001)

    for done in [in_thread(pool, write_often) for _ in range(4)]:
        done.result()
    assert SmallFile.objects.count() == 200
    assert is_free()


def test_whoever_waits_begins_soon_after_the_others_commit(pool):
    def write_late() -> float:
        ready.set()
        with transaction.atomic():
            begun = time.monotonic()
            write()
        return begun

    waits = []
    for _ in range(5):
        ready = threading.Event()
        with transaction.atomic():
            write()
            late = in_thread(pool, write_late)
            ready.wait()
            time.sleep(0.35)  # SQLite itself looks after 328 ms, and then after 428
        committed = time.monotonic()
        waits.append(late.result() - committed)
    assert min(waits) > -0.01
    assert sorted(waits)[2] < 0.04


def test_the_lock_is_held_within_a_transaction_and_left_with_its_commit():
    with transaction.atomic():
        assert not is_free()
        with transaction.atomic():
            write()
        assert not is_free()
    assert is_free()


def test_the_lock_is_left_with_a_rollback():
    with contextlib.suppress(InterruptedError), transaction.atomic():
        write()
        assert not is_free()
        raise InterruptedError
    assert is_free()
    assert SmallFile.objects.count() == 0


def test_the_lock_is_left_where_a_transaction_cannot_begin():
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        with pytest.raises(OperationalError, match="within a transaction"):
            connection._start_transaction_under_autocommit()
        assert is_free()
        cursor.execute("ROLLBACK")
    with transaction.atomic():
        write()
    assert is_free()


def test_the_lock_is_left_where_the_database_stays_locked(pool):
    """Another program writes, which knows nothing of the lock."""

    def begin() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 20")
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            write()
        return is_free()

    with transaction.atomic():
        write()
        connection._leave_lock()
        assert in_thread(pool, begin).result()
    assert SmallFile.objects.count() == 1


def test_the_lock_is_left_when_the_connection_is_closed(pool):
    def close_within() -> bool:
        connection.set_autocommit(True)
        connection._start_transaction_under_autocommit()
        was_free = is_free()
        connection.close()
        return was_free

    assert not in_thread(pool, close_within).result()
    assert is_free()


def test_a_closed_connection_leaves_no_file_open(pool):
    def opened() -> int:
        paths = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
        return sum(os.path.realpath(path).endswith("-writing") for path in paths)

    def write_and_close() -> tuple[int, int]:
        before = opened()
        for _ in range(3):
            with transaction.atomic():
                write()
            connection.close()
        return before, opened()

    before, after = in_thread(pool, write_and_close).result()
    assert before == after


def test_reading_takes_no_lock(pool):
    with transaction.atomic():
        write()
        assert in_thread(pool, SmallFile.objects.count).result() == 0


@pytest.fixture
def held_for_ever():
    """Another process holds the lock, and was stopped."""
    with transaction.atomic():
        write()
    words = [sys.executable, "-c", HOLDER, lock_file()]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield holder
        holder.kill()


def test_a_lock_that_is_held_for_ever_delays_a_writer_only_so_long(monkeypatch, held_for_ever):
    monkeypatch.setattr(base, "LONGEST_WAIT", 0.3)
    started = time.monotonic()
    with transaction.atomic():
        write()
    assert 0.3 <= time.monotonic() - started < 1.5
    assert SmallFile.objects.count() == 2
    assert not is_free()


def test_a_lock_goes_with_the_process_that_held_it(held_for_ever, monkeypatch):
    monkeypatch.setattr(base, "LONGEST_WAIT", 10)
    threading.Timer(0.1, held_for_ever.kill).start()
    started = time.monotonic()
    with transaction.atomic():
        assert connections["default"]._has_lock
    assert time.monotonic() - started < 5
