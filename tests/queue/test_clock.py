"""The database's clock is the one clock; SQLite's is the machine's."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from digits.queue.clock import _Clock

pytestmark = pytest.mark.django_db


def test_it_tells_the_time_of_the_database():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no clock of its own")
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs = cursor.fetchone()[0]
    assert abs(_Clock().now() - theirs) < timedelta(seconds=2)


def test_it_counts_from_the_last_look_and_looks_again_after_a_while(monkeypatch):
    start, passed = datetime(2026, 1, 1, tzinfo=UTC), [100.0]
    looks = [start, start + timedelta(hours=1)]
    monkeypatch.setattr("digits.queue.clock._ask", lambda: looks.pop(0))
    monkeypatch.setattr("digits.queue.clock.time.monotonic", lambda: passed[0])
    clock = _Clock()
    assert clock.now() == start
    passed[0] += 30
    assert clock.now() == start + timedelta(seconds=30)
    passed[0] += 31
    assert clock.now() == start + timedelta(hours=1)
    assert timezone.is_aware(clock.now())
