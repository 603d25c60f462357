"""Requests that wait until an upload is finished."""

import math
import threading
import time
from collections import OrderedDict

from django.conf import settings
from django.db import close_old_connections
from django.http import Http404

from digits.models import Upload
from digits.queue.notifications import Listener
from digits.uploads.queue import FINISHED

LONGEST_WAIT = 30
# Open to everybody, in seconds: ten times what a reading takes on two idle cores, so that only
# those who wait for a busy worker need leave to go on. It was not tuned beyond that.
BRIEF_WAIT = 0.3
LOOK_SECONDS = 1.0  # between two looks at the database
LOOK_SECONDS_WITHOUT_REDIS = 0.2
KNOWN = 10_000  # uploads that ended last: whoever comes to wait for them may have come late
# Whoever waits holds a thread: beyond a brief wait, half of them stay free for everything else.
_long_waits = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class _Wait:
    """One request that waits; ended: the upload's row as it was after its end."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.ended: Upload | None = None


class _Waits:
    """The requests of this process that wait, by upload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_upload: dict[int, list[_Wait]] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self.listener = Listener(FINISHED, self.on_finished, self.wake_all)

    def add(self, pk: int) -> _Wait:
        """Let a request wait; it is woken at once if the upload has ended already."""
        self.listener.start()
        wait = _Wait()
        with self._lock:
            self._by_upload.setdefault(pk, []).append(wait)
            if pk in self._ended:
                wait.woken.set()
        return wait

    def remove(self, pk: int, wait: _Wait) -> None:
        with self._lock:
            waits = self._by_upload[pk]
            waits.remove(wait)
            if not waits:
                del self._by_upload[pk]

    def on_finished(self, words: list[str]) -> None:
        """Wake those who wait for these uploads, with rows that one query has loaded."""
        pks = [int(word) for word in words]
        with self._lock:
            for pk in pks:
                self._ended[pk] = None
            while len(self._ended) > KNOWN:
                self._ended.popitem(last=False)
            awaited = [pk for pk in pks if pk in self._by_upload]
        if not awaited:
            return
        close_old_connections()
        rows = Upload.objects.in_bulk(awaited)
        with self._lock:
            for pk in awaited:
                for wait in self._by_upload.get(pk, ()):
                    wait.ended = rows.get(pk)
                    wait.woken.set()

    def wake_all(self) -> None:
        """Let everybody look at the database: notifications may have been missed."""
        with self._lock:
            for waits in self._by_upload.values():
                for wait in waits:
                    wait.woken.set()


_waits = _Waits()


def hold_until_finished(upload: Upload, seconds: float) -> bool:
    """Wait up to so many seconds until an upload is finished, then load its state.

    Returns:
        False if too many requests were waiting, so that this one waited only briefly.

    Raises:
        Http404: it was deleted meanwhile.
    """
    pk, seconds = upload.pk, bounded(seconds)
    wait = _waits.add(pk)
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


def _is_over(upload: Upload, wait: _Wait, deadline: float) -> bool:
    """Wait until the upload is finished, at most until then, and load its state."""
    while not upload.is_finished:
        look = LOOK_SECONDS if _waits.listener.is_listening else LOOK_SECONDS_WITHOUT_REDIS
        left = deadline - time.monotonic()
        wait.woken.wait(max(0.0, min(look, left)))
        wait.woken.clear()
        if wait.ended is not None:
            upload.__dict__.update(wait.ended.__dict__)
        else:
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
