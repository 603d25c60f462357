"""A lease is renewed while the work goes on, and runs out when it does not."""

import time

import pytest

from digits.models import Upload
from digits.models.uploads import Status
from digits.queue import keeping
from digits.uploads import queue
from tests.factories import make_upload
from tests.site import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]


@pytest.fixture(autouse=True)
def short_leases(settings, monkeypatch):
    settings.LEASE_SECONDS = 0.9
    monkeypatch.setattr(keeping, "_keeper", keeping._Keeper())


def test_work_that_takes_longer_than_its_lease_keeps_it():
    for _ in range(3):
        make_upload()
    claimed = queue.claim()
    with keeping.kept(claimed):
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert queue.sweep() == 0
            time.sleep(0.1)
        assert len(queue.finish_all({one: {"status": Status.DONE} for one in claimed})) == 3
    assert [one.attempts for one in Upload.objects.all()] == [1, 1, 1]


def test_a_lease_that_nobody_keeps_runs_out():
    make_upload()
    with keeping.kept(queue.claim()):
        pass
    eventually(lambda: queue.sweep() == 1, 5)


def test_what_ended_is_not_renewed():
    make_upload()
    (one,) = queue.claim()
    with keeping.kept([one]):
        queue.finish(one, Status.DONE)
        time.sleep(1)
        one.refresh_from_db()
        assert (one.lease, one.lease_expires_at, one.status) == (None, None, Status.DONE)
