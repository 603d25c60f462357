"""Leases: one suite for all rows that are worked on under one.

tests/system/test_postgres.py runs this folder on PostgreSQL, too.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from digits.queue import leases
from digits.versions import registry
from tests.leased import KINDS, LEASE, TRIES, Kind

pytestmark = pytest.mark.django_db


@pytest.fixture(params=KINDS, ids=str)
def kind(request, redis) -> Kind:
    return request.param


def make(kind: Kind, count: int = 1) -> list[int]:
    return [kind.make().pk for _ in range(1 if kind.alone else count)]


def after(seconds: float):
    """Go on at another time."""
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


def stored(kind: Kind, row):
    return kind.unfinished().get(pk=row.pk)


def test_a_free_row_is_claimed_and_the_attempt_counted(kind):
    pks = make(kind, 3)
    claimed = kind.claim()
    expected = sorted(pks, reverse=kind.newest_first)[: kind.at_once]
    assert [row.pk for row in claimed] == expected
    for row in claimed:
        assert (stored(kind, row).lease, row.attempts) == (row.lease, 1)
        left = row.lease_expires_at - timezone.now()
        assert LEASE - 10 < left.total_seconds() <= LEASE


def test_nobody_claims_a_row_that_is_held(kind):
    make(kind)
    assert len(kind.claim()) == 1
    assert kind.claim() == []


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_time_never_share_a_row(kind):
    registry.register_bundled()
    pks = make(kind, 24)

    def work_off(_) -> list[int]:
        mine = []
        try:
            while kind.unfinished().filter(lease__isnull=True).exists():
                for row in kind.claim():
                    assert kind.finish(row)
                    mine.append(row.pk)
        finally:
            connection.close()
        return mine

    with ThreadPoolExecutor(4) as pool:
        done = [pk for mine in pool.map(work_off, range(4)) for pk in mine]
    assert sorted(done) == pks
    assert kind.is_sound()


def test_a_row_is_finished_once_and_by_its_holder(kind):
    make(kind)
    (row,) = kind.claim()
    assert kind.finish(row)
    assert not kind.finish(row)
    assert not kind.unfinished().exists()
    assert kind.claim() == []
    assert kind.is_sound()


def test_a_row_whose_lease_ran_out_is_free_again_and_its_last_holder_changes_nothing(kind):
    make(kind)
    (late,) = kind.claim()
    with after(LEASE + 1):
        kind.sweep()
        assert stored(kind, late).lease is None
        (row,) = kind.claim()
        assert (row.pk, row.attempts) == (late.pk, 2)
        assert not leases.renew(late)
        assert not leases.release(late)
        assert not kind.finish(late)
        assert stored(kind, late).lease == row.lease
        assert kind.finish(row)


def test_the_holder_of_a_lease_that_ran_out_may_still_finish_while_nobody_took_it(kind):
    make(kind)
    (row,) = kind.claim()
    with after(LEASE + 1):
        assert kind.finish(row)
        kind.sweep()
    assert not kind.unfinished().exists()


def test_a_renewed_lease_keeps_the_sweeper_away(kind):
    make(kind)
    (row,) = kind.claim()
    with after(LEASE - 1):
        assert leases.renew(row)
    with after(LEASE + 1):
        kind.sweep()
        assert stored(kind, row).lease == row.lease
        assert kind.finish(row)


def test_what_was_tried_too_often_is_given_up_with_a_reason(kind):
    make(kind)
    for attempt in range(1, TRIES + 1):
        (row,) = kind.claim()
        assert row.attempts == attempt
        with after(LEASE + 1):
            kind.sweep()
    assert not kind.unfinished().exists()
    assert f"{TRIES} times" in kind.reason(row.pk)
    assert not kind.finish(row)
    assert kind.claim() == []
    assert kind.is_sound()


@pytest.mark.parametrize(("count_attempt", "attempts"), [(True, 1), (False, 0)])
def test_a_released_row_is_free_at_once(kind, count_attempt, attempts):
    make(kind)
    (row,) = kind.claim()
    assert leases.release(row, count_attempt=count_attempt)
    free = stored(kind, row)
    assert (free.lease, free.lease_expires_at, free.attempts) == (None, None, attempts)
    assert not kind.finish(row)
    assert [again.attempts for again in kind.claim()] == [attempts + 1]


def test_a_row_that_is_released_for_later_rests_until_the_sweeper_frees_it(kind):
    make(kind)
    (row,) = kind.claim()
    assert leases.release(row, after=10, count_attempt=False)
    assert not kind.finish(row)
    kind.sweep()
    assert kind.claim() == []
    with after(11):
        kind.sweep()
        assert [again.attempts for again in kind.claim()] == [1]


def test_the_sweeper_leaves_alone_what_is_free_or_held(kind):
    make(kind, 5)
    held = kind.claim()
    before = list(kind.unfinished().order_by("pk").values())
    with after(LEASE - 5):
        kind.sweep()
    assert list(kind.unfinished().order_by("pk").values()) == before
    assert all(kind.finish(row) for row in held)


def test_rows_that_were_not_claimed_together_are_not_changed_together(kind):
    make(kind)
    (row,) = kind.claim()
    other = stored(kind, row)
    other.lease = None
    with pytest.raises(ValueError, match="expected rows that were claimed together"):
        leases.finish(row, other)
    with pytest.raises(ValueError, match="expected rows that were claimed together"):
        leases.renew(other)
