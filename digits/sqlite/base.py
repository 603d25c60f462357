"""Django's backend for SQLite, where one process at a time begins to write.

In SQLite, a writer that finds another one at work looks again after 1, 2, 5, 10, 15, 20, 25 ms and
so on: two processes that write all the time sleep longer than they work. Here, a transaction first
takes a lock on a file beside the database, and looks for it more often. SQLite's own locks go on to
decide: whoever does not get the file's lock in time begins without it.
"""

import fcntl
import os
import time
from typing import Any

from django.db.backends.sqlite3 import base, operations

LOOK_SECONDS = 0.0005
LONGEST_WAIT = 2.0  # a process that was stopped in a transaction may hold the lock for ever


class DatabaseOperations(operations.DatabaseOperations):
    """Statements of SQLite; the database is emptied without the triggers that guard its rows.

    They come again with the signal that follows.
    """

    def sql_flush(self, style: Any, tables: Any, **options: Any) -> list[str]:
        statements: list[str] = super().sql_flush(style, tables, **options)
        if not tables:
            return statements
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            names = [self.quote_name(name) for (name,) in cursor.fetchall()]
        return [*(f"DROP TRIGGER {name}" for name in names), *statements]


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection with a lock that is held from the beginning of a transaction to its end."""

    ops_class = DatabaseOperations
    _lock: int | None = None
    _has_lock = False

    def _start_transaction_under_autocommit(self) -> None:
        self._take_lock()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs
        except BaseException:
            self._leave_lock()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]  # not in the stubs
        finally:
            self._leave_lock()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]  # not in the stubs
        finally:
            self._leave_lock()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]  # not in the stubs
        finally:
            if self._lock is not None:
                os.close(self._lock)
            self._lock, self._has_lock = None, False

    def _take_lock(self) -> None:
        if self._lock is None:
            if self.is_in_memory_db():
                return
            path = f"{self.settings_dict['NAME']}-writing"
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + LONGEST_WAIT
        while not self._has_lock and time.monotonic() < deadline:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._has_lock = True
            except BlockingIOError:
                time.sleep(LOOK_SECONDS)

    def _leave_lock(self) -> None:
        if self._has_lock and self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._has_lock = False
