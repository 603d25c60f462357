"""Tallies of uploads by version: always exact, and counted once."""

import math
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from digits.learning.corrections import correct
from digits.models import ModelVersion, Tally, Upload
from digits.monitoring import tallies
from digits.tasks import sweep
from tests.factories import make_reading, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(tallies, "BLOCK", 3)


@pytest.fixture
def version():
    return ModelVersion.active()


def read(version, count: int = 1, **fields) -> list[Upload]:
    """Uploads that were read an hour ago."""
    past = timezone.now() - timedelta(hours=1)
    return [make_reading(version, created_at=past, **fields) for _ in range(count)]


def counted(version) -> tuple[int, int, int]:
    """How many were read, confirmed and corrected, as the tallies have it."""
    counts = tallies.by_version()
    return tuple(counts[version.pk, verdict] for verdict in ("", "confirmed", "corrected"))


def settle():
    tallies.settle()  # begins tallies
    tallies.settle()  # counts them


def fresh() -> int:
    return Tally.objects.filter(is_stale=False).count()


def test_the_counts_are_the_same_before_and_after_they_are_settled(version):
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    uploads = read(version, 10) + read(second, 5)
    correct(uploads[0].digits.get(), 1)
    correct(uploads[1].digits.get(), 7)
    before = tallies.by_version()
    assert counted(version) == (8, 1, 1)
    settle()
    assert fresh() >= 4
    assert tallies.by_version() == before == tallies.by_version()


def test_what_a_fresh_tally_covers_is_not_counted_again(version):
    read(version, 10)
    settle()
    Upload.objects.update(version=None)  # behind the tallies' back
    assert counted(version)[0] >= 6


def test_what_was_not_settled_yet_counts(version):
    read(version, 10)
    settle()
    read(version, 2)
    make_reading(version)
    assert counted(version) == (13, 0, 0)


def test_a_verdict_on_what_was_settled_counts_at_once_and_after_the_next_sweep(version):
    uploads = read(version, 10)
    settle()
    correct(uploads[1].digits.get(), 4)
    assert counted(version) == (9, 0, 1)
    correct(uploads[1].digits.get(), None)
    correct(uploads[4].digits.get(), 7)
    assert counted(version) == (9, 1, 0)
    before = fresh()
    settle()
    assert fresh() == before + 2
    assert counted(version) == (9, 1, 0)


def test_what_is_deleted_no_longer_counts(version):
    user = get_user_model().objects.create_user("ann")
    uploads = read(version, 9, user=user) + read(version, 3)
    settle()
    uploads[0].delete()
    Upload.objects.filter(pk__in=[upload.pk for upload in uploads[1:3]]).delete()
    assert counted(version) == (9, 0, 0)
    user.delete()
    assert counted(version) == (3, 0, 0)
    settle()
    assert counted(version) == (3, 0, 0)


def test_a_change_that_is_rolled_back_leaves_the_tally_as_it_was(version):
    uploads = read(version, 10)
    settle()
    before = fresh()
    with transaction.atomic():
        correct(uploads[1].digits.get(), 4)
        transaction.set_rollback(True)
    assert (fresh(), counted(version)) == (before, (10, 0, 0))


@pytest.mark.parametrize("status", ["queued", "running"])
def test_what_has_not_ended_or_is_new_is_not_settled(version, status):
    past = timezone.now() - timedelta(hours=1)
    waits = make_upload(status=status, created_at=past)
    read(version, 10)
    settle()
    assert Tally.objects.filter(block__gte=waits.pk // 3).count() == 0
    Upload.objects.filter(pk=waits.pk).update(status="done", version=version)
    assert counted(version) == (11, 0, 0)
    settle()
    assert fresh() >= 3
    assert counted(version) == (11, 0, 0)


def test_uploads_of_these_seconds_are_not_settled(version):
    for _ in range(10):
        make_reading(version)
    settle()
    assert Tally.objects.count() == 0
    assert counted(version) == (10, 0, 0)


def test_a_sweep_in_a_minute_settles(version, redis, monkeypatch):
    read(version, 10)
    for fresh_from, long_ago in ((0, True), (3, True), (3, False)):
        if long_ago:
            monkeypatch.setattr(tallies, "_settled_at", -math.inf)
        sweep()
        assert fresh() >= fresh_from
        assert counted(version) == (10, 0, 0)
    read(version, 10)
    before = Tally.objects.count()
    sweep()
    assert Tally.objects.count() == before
    assert counted(version) == (20, 0, 0)


def test_without_uploads_there_is_nothing_to_count():
    settle()
    assert tallies.by_version() == Counter()
    assert Tally.objects.count() == 0
