"""The queue of uploads: claimed under a lease, finished once, and what is done about stuck ones.

tests/system/test_postgres.py runs this file on PostgreSQL, too.
"""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from digits.models import Upload
from digits.models.uploads import Status
from digits.queue import leases, wake_ups
from digits.uploads import queue
from tests.factories import make_upload

pytestmark = pytest.mark.django_db


def test_it_claims_the_oldest_first_and_counts_the_attempt():
    uploads = [make_upload() for _ in range(5)]
    claimed = queue.claim(3)
    assert [upload.pk for upload in claimed] == [upload.pk for upload in uploads[:3]]
    assert {(upload.status, upload.attempts) for upload in claimed} == {(Status.RUNNING, 1)}
    assert [upload.pk for upload in queue.claim(3)] == [upload.pk for upload in uploads[3:]]
    assert queue.claim(3) == []


def test_what_is_claimed_has_all_that_a_worker_asks_for(django_assert_num_queries):
    stored = make_upload(degrees=90, trace="00-1-2-01")
    (claimed,) = queue.claim(1)
    with django_assert_num_queries(0):
        for name in ("file", "degrees", "created_at", "trace", "is_large", "started_at"):
            getattr(claimed, name)
    for name in ("file", "degrees", "created_at", "trace", "is_large"):
        assert getattr(claimed, name) == getattr(stored, name)


def test_it_claims_one_that_was_tried_before_alone_and_first():
    make_upload()
    tried = make_upload(attempts=1)
    assert [upload.pk for upload in queue.claim(32)] == [tried.pk]


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_time_never_share_a_row():
    for _ in range(60):
        make_upload()

    def claim_all(_) -> list[int]:
        mine = []
        try:
            while claimed := queue.claim(4):
                mine += [upload.pk for upload in claimed]
        finally:
            connection.close()
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = [pk for mine in pool.map(claim_all, range(4)) for pk in mine]
    assert len(claimed) == 60
    assert len(set(claimed)) == 60


def test_it_leaves_a_finished_upload_alone():
    make_upload(status=Status.DONE, reading="7")
    make_upload(status=Status.FAILED)
    assert queue.claim(32) == []


def test_only_the_holder_of_the_lease_finishes_an_upload():
    make_upload()
    (claimed,) = queue.claim()
    late = Upload.objects.get(pk=claimed.pk)
    late.lease = uuid.uuid4()
    assert not queue.finish(late, Status.FAILED, error="late")
    assert queue.finish(claimed, Status.DONE, reading="7")
    assert not queue.finish(claimed, Status.DONE, reading="8")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.reading, claimed.lease) == (Status.DONE, "7", None)
    assert claimed.finished_at is not None


def expire(*uploads):
    past = timezone.now() - timedelta(seconds=1)
    Upload.objects.filter(pk__in=[upload.pk for upload in uploads]).update(lease_expires_at=past)


def test_the_sweeper_queues_what_is_stuck_again(redis):
    stuck, running = make_upload(), make_upload()
    queue.claim()
    expire(stuck)
    assert queue.sweep() == 1
    stuck.refresh_from_db()
    running.refresh_from_db()
    assert (stuck.status, stuck.lease, stuck.attempts) == (Status.QUEUED, None, 1)
    assert running.status == Status.RUNNING


def test_the_sweeper_fails_what_was_tried_three_times(redis):
    upload = make_upload()
    for _ in range(3):
        queue.claim()
        expire(upload)
        queue.sweep()
    upload.refresh_from_db()
    assert upload.status == Status.FAILED
    assert "the worker stopped 3 times" in upload.error
    assert queue.claim() == []


@pytest.mark.parametrize("count_attempt", [True, False])
def test_what_is_to_be_retried_waits_for_the_sweeper(redis, count_attempt):
    upload = make_upload()
    (claimed,) = queue.claim()
    leases.release(claimed, after=-1, count_attempt=count_attempt, error_detail="no space left")
    assert queue.claim() == []
    queue.sweep()
    upload.refresh_from_db()
    assert (upload.status, upload.attempts) == (Status.QUEUED, int(count_attempt))
    assert upload.error_detail == "no space left"


def test_the_sweeper_wakes_the_workers_for_what_waits(redis):
    queue.sweep()
    assert redis.llen("classify") == 0
    make_upload()
    wake_ups.send(queue.TASK)
    queue.sweep()
    assert redis.llen("classify") == 1
    redis.delete("classify")
    queue.sweep()  # although one is pending: it was lost
    assert redis.llen("classify") == 1
