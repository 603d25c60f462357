"""Requests that wait until an upload is finished."""

import asyncio
import contextlib
import math
import threading
import time
from collections import OrderedDict
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import Http404

from digits.models import Upload
from digits.queue.notifications import Listener
from digits.uploads.queue import ANSWER, FINISHED

LONGEST_WAIT = 30
# Open to everybody, in seconds: ten times what a reading takes on two idle cores, so that only
# those who wait for a busy worker need leave to go on. It was not tuned beyond that.
BRIEF_WAIT = 0.3
LOOK_SECONDS = 1.0  # between two looks at the database
LOOK_SECONDS_WITHOUT_REDIS = 0.2
# The uploads that ended last are known, with their answers, for whoever comes late to wait, by
# some milliseconds, as an upload is queued in the same request.
KNOWN_SECONDS = 5.0
KNOWN = 1000
# Whoever waits holds a thread: beyond a brief wait, half of them stay free for everything else.
_long_waits = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class _Wait:
    """One request that waits in a thread; ended: the fields ANSWER, once it was told."""

    def __init__(self) -> None:
        self.ended: dict[str, Any] = {}
        self.woken = threading.Event()

    def wake(self) -> None:
        self.woken.set()


class _AsyncWait(_Wait):
    """One request that waits in an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.in_loop = asyncio.Event()

    def wake(self) -> None:
        """Wake it from the thread of its loop; `_wake` does so from others."""
        self.in_loop.set()


def _wake(waits: list[_Wait]) -> None:
    """Wake requests, those of one loop with one call."""
    loops: dict[asyncio.AbstractEventLoop, list[_AsyncWait]] = {}
    for wait in waits:
        if isinstance(wait, _AsyncWait):
            loops.setdefault(wait.loop, []).append(wait)
        else:
            wait.wake()
    for loop, own in loops.items():
        with contextlib.suppress(RuntimeError):  # it was closed
            loop.call_soon_threadsafe(_wake_in_loop, own)


def _wake_in_loop(waits: list[_AsyncWait]) -> None:
    for wait in waits:
        wait.wake()


class _Waits:
    """The requests of this process that wait, by upload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_upload: dict[int, list[_Wait]] = {}
        self._ended: OrderedDict[int, tuple[float, dict[str, Any]]] = OrderedDict()  # and when
        self.listener = Listener(FINISHED, self.on_finished, self.wake_all)

    def add(self, pk: int, wait: _Wait) -> None:
        """Let a request wait; it is woken at once if the upload has ended already."""
        self.listener.start()
        with self._lock:
            self._by_upload.setdefault(pk, []).append(wait)
            if pk in self._ended:
                _, wait.ended = self._ended[pk]
                wait.wake()

    def remove(self, pk: int, wait: _Wait) -> None:
        with self._lock:
            waits = self._by_upload[pk]
            waits.remove(wait)
            if not waits:
                del self._by_upload[pk]

    def on_finished(self, told: list[list[Any]]) -> None:
        """Wake those who wait for these uploads, each with its fields ANSWER."""
        woken, now = [], time.monotonic()
        with self._lock:
            for pk, *values in told:
                ended = dict(zip(ANSWER, values, strict=True))
                self._ended[pk] = now, ended
                self._ended.move_to_end(pk)
                for wait in self._by_upload.get(pk, ()):
                    wait.ended = ended
                    woken.append(wait)
            self._forget(now - KNOWN_SECONDS)
        _wake(woken)

    def _forget(self, before: float) -> None:
        """Let go of answers from before a time, and of the oldest where they are too many."""
        while self._ended:
            at, _ = next(iter(self._ended.values()))
            if at >= before and len(self._ended) <= KNOWN:
                break
            self._ended.popitem(last=False)

    def wake_all(self) -> None:
        """Let everybody look at the database: notifications may have been missed."""
        with self._lock:
            woken = [wait for waits in self._by_upload.values() for wait in waits]
        _wake(woken)


_waits = _Waits()


def hold_until_finished(upload: Upload, seconds: float) -> bool:
    """Wait up to so many seconds until an upload is finished, then load its state.

    Returns:
        False if too many requests were waiting, so that this one waited only briefly.

    Raises:
        Http404: it was deleted meanwhile.
    """
    pk, seconds, wait = upload.pk, bounded(seconds), _Wait()
    _waits.add(pk, wait)
    try:
        return _hold(upload, wait, seconds)
    finally:
        _waits.remove(pk, wait)


def _hold(upload: Upload, wait: _Wait, seconds: float) -> bool:
    started = time.monotonic()
    if _is_over(upload, wait, started + min(seconds, BRIEF_WAIT)) or seconds <= BRIEF_WAIT:
        return True
    if not _long_waits.acquire(blocking=False):
        return False
    try:
        _is_over(upload, wait, started + seconds)
    finally:
        _long_waits.release()
    return True


async def wait_until_finished(upload: Upload, seconds: float) -> None:
    """Wait up to so many seconds until an upload is finished, then load the fields ANSWER.

    No thread is held, so that any number of requests may wait.

    Raises:
        Http404: it was deleted meanwhile.
    """
    pk, wait = upload.pk, _AsyncWait(asyncio.get_running_loop())
    deadline = time.monotonic() + bounded(seconds)
    _waits.add(pk, wait)
    try:
        while not upload.is_finished:
            left = deadline - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(_look_seconds(), left))):
                    await wait.in_loop.wait()
            wait.in_loop.clear()
            if wait.ended:
                upload.__dict__.update(wait.ended)
            else:
                await sync_to_async(_look)(upload)
            if left <= 0:
                return
    finally:
        _waits.remove(pk, wait)


def _look_seconds() -> float:
    """Return how long to wait between two looks at the database."""
    return LOOK_SECONDS if _waits.listener.is_listening else LOOK_SECONDS_WITHOUT_REDIS


def _is_over(upload: Upload, wait: _Wait, deadline: float) -> bool:
    """Wait until the upload is finished, at most until then, and load its state."""
    while not upload.is_finished:
        left = deadline - time.monotonic()
        wait.woken.wait(max(0.0, min(_look_seconds(), left)))
        wait.woken.clear()
        _look(upload)
        if left <= 0:
            break
    return upload.is_finished


def _look(upload: Upload) -> None:
    try:
        upload.refresh_from_db()
    except Upload.DoesNotExist as error:
        raise Http404("the upload was deleted meanwhile") from error


def bounded(seconds: float) -> float:
    """Return a requested wait within the limits; 0 for a number that is not finite."""
    return min(max(seconds, 0), LONGEST_WAIT) if math.isfinite(seconds) else 0
