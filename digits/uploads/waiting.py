"""Requests that wait until an upload is finished."""

import math
import threading
import time

from django.conf import settings
from django.http import Http404

from digits.models import Upload
from digits.queue import notifications
from digits.uploads.queue import channel

LONGEST_WAIT = 30
# Open to everybody, in seconds: ten times what a reading takes on two idle cores, so that only
# those who wait for a busy worker need leave to go on. It was not tuned beyond that.
BRIEF_WAIT = 0.3
# Whoever waits holds a thread: beyond a brief wait, half of them stay free for everything else.
_long_waits = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def hold_until_finished(upload: Upload, seconds: float) -> bool:
    """Wait up to so many seconds until an upload is finished, then load its state.

    Returns:
        False if too many requests were waiting, so that this one waited only briefly.

    Raises:
        Http404: it was deleted meanwhile.
    """
    allowed = _wait(upload, bounded(seconds))
    try:
        upload.refresh_from_db()
    except Upload.DoesNotExist as error:
        raise Http404("the upload was deleted meanwhile") from error
    return allowed


def _wait(upload: Upload, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    if _is_over(upload, min(seconds, BRIEF_WAIT)) or seconds <= BRIEF_WAIT:
        return True
    if not _long_waits.acquire(blocking=False):
        return False
    try:
        _is_over(upload, deadline - time.monotonic())
    finally:
        _long_waits.release()
    return True


def _is_over(upload: Upload, seconds: float) -> bool:
    unfinished = Upload.objects.filter(pk=upload.pk).unfinished()
    return notifications.wait(channel(upload.pk), lambda: not unfinished.exists(), seconds)


def bounded(seconds: float) -> float:
    """Return a requested wait within the limits; 0 for a number that is not finite."""
    return min(max(seconds, 0), LONGEST_WAIT) if math.isfinite(seconds) else 0
