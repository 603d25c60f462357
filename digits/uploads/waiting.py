"""Requests that wait for an upload to be finished."""

import math
import threading

from django.conf import settings
from django.http import Http404

from digits.models import Upload
from digits.uploads import queue

LONGEST_WAIT = 30
# Whoever waits holds a thread: half of them stay free for everything else.
_waiting = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


def hold_until_finished(upload: Upload, seconds: float) -> bool:
    """Wait up to so many seconds for an upload to be finished, and load its end state.

    Returns:
        False: too many wait already, so nobody waited.

    Raises:
        Http404: it was deleted meanwhile.
    """
    if not _waiting.acquire(blocking=False):
        return False
    try:
        queue.wait_for(upload.pk, bounded(seconds))
    finally:
        _waiting.release()
    try:
        upload.refresh_from_db()
    except Upload.DoesNotExist as error:
        raise Http404("the upload was deleted meanwhile") from error
    return True


def bounded(seconds: float) -> float:
    """Bring a wish to wait into what is allowed; what is no finite number is no wait."""
    return min(max(seconds, 0), LONGEST_WAIT) if math.isfinite(seconds) else 0
