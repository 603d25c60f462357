"""Requests wait for uploads: woken at their end, and never so many that nothing else is served."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.http import Http404

from digits.models.uploads import Status
from digits.uploads import queue, waiting
from digits.uploads.waiting import hold_until_finished
from tests.factories import make_upload

pytestmark = pytest.mark.django_db(transaction=True)


def test_waiting_ends_at_once_for_a_finished_upload():
    assert hold_until_finished(make_upload(status=Status.DONE), 5)


def test_waiting_ends_when_the_upload_is_finished(redis):
    upload = make_upload()

    def wait() -> str:
        try:
            hold_until_finished(upload, 20)
        finally:
            connection.close()
        return upload.status

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(wait)
        (claimed,) = queue.claim()
        queue.finish(claimed, Status.DONE)
        assert held.result(timeout=10) == Status.DONE


def test_waiting_ends_when_the_sweeper_fails_the_upload(redis, settings):
    settings.MAX_ATTEMPTS, settings.LEASE_SECONDS = 1, 0.05
    upload = make_upload()
    queue.claim()
    time.sleep(0.1)  # the lease is over
    listener = redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(queue.FINISHED)
    listener.get_message(timeout=1)
    queue.sweep()
    message = listener.get_message(timeout=5)
    listener.close()
    upload.refresh_from_db()
    assert upload.status == Status.FAILED
    assert json.loads(message["data"]) == [[upload.pk, "failed", "", upload.error]]


def test_waiting_gives_up_when_the_time_is_over(redis):
    upload = make_upload()
    assert hold_until_finished(upload, 0.2)
    assert upload.status == Status.QUEUED


def test_waiting_for_an_upload_that_is_deleted_meanwhile_says_so(redis):
    upload = make_upload()
    pk = upload.pk
    upload.delete()
    upload.pk = pk
    with pytest.raises(Http404, match="deleted meanwhile"):
        hold_until_finished(upload, 5)


def test_answers_are_known_to_late_requests_only_for_some_seconds(monkeypatch):
    clock = 1000.0
    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock)
    waits, late = waiting._Waits(), waiting._Wait()
    waits.listener.start = lambda: None  # what it would hear is told here
    for pk in range(waiting.KNOWN + 5):
        waits.on_finished([[pk, "done", str(pk), ""]])
    assert list(waits._ended) == list(range(5, waiting.KNOWN + 5))
    waits.add(5, late)
    assert late.ended == {"status": "done", "reading": "5", "error": ""}
    clock += waiting.KNOWN_SECONDS + 0.1
    waits.on_finished([[9999, "done", "1", ""]])
    assert list(waits._ended) == [9999]


def test_half_of_the_threads_wait_long_and_the_others_briefly(redis, settings):
    upload = make_upload()
    settled = threading.Barrier(settings.WEB_THREADS)

    def wait(_) -> bool:
        try:
            settled.wait(20)
            return hold_until_finished(upload_copy(upload), 2)
        finally:
            connection.close()

    with ThreadPoolExecutor(settings.WEB_THREADS) as pool:
        held = list(pool.map(wait, range(settings.WEB_THREADS)))
    assert held.count(True) == settings.WEB_THREADS // 2
    assert waiting._long_waits.acquire(blocking=False)
    waiting._long_waits.release()


def upload_copy(upload):
    return type(upload).objects.get(pk=upload.pk)
