"""Training runs: one at a time, claimed under a lease, taken up again, cancelled, failed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from digits.learning import runs
from digits.learning.corrections import correct
from digits.models import ModelVersion, TrainingRun
from digits.models.training import Origin, RunStatus
from digits.queue import leases
from tests.factories import make_reading, staff_member
from worker.training.recipes import Recipe

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(redis):
    return runs.ask(Recipe.fine_tuning())


def claimed(run) -> TrainingRun:
    held = runs.claim()
    assert held.pk == run.pk
    return held


def age(run):
    """Let a run's lease be over."""
    TrainingRun.objects.filter(pk=run.pk).update(
        lease_expires_at=timezone.now() - timedelta(seconds=1)
    )


def test_asking_twice_says_which_run_is_under_way(run):
    with pytest.raises(runs.AlreadyRunning, match=f"training run {run.pk} is not finished yet"):
        runs.ask(Recipe())


def test_a_run_is_claimed_once(run):
    held = claimed(run)
    assert (held.status, held.attempts, held.base) == ("running", 1, ModelVersion.active())
    assert runs.claim() is None


def test_who_lost_the_lease_changes_nothing(run):
    old = claimed(run)
    age(run)
    runs.sweep()
    new = claimed(run)
    assert not runs.update(old, epoch=9)
    assert not runs.finish(old, RunStatus.DONE, "done")
    assert not leases.renew(old)
    assert runs.update(new, epoch=2)


def test_a_run_whose_trainer_died_goes_on_and_fails_at_the_third_time(run):
    for attempt in (1, 2, 3):
        held = claimed(run)
        assert held.attempts == attempt
        runs.died(held, "killed by SIGKILL")
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.error == "The trainer died 3 times; the last time, it was killed by SIGKILL."
    assert runs.ask(Recipe()).status == RunStatus.QUEUED


def test_a_sign_of_life_keeps_a_run_from_the_sweeper(run):
    held = claimed(run)
    age(run)
    assert leases.renew(held)
    runs.sweep()
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING


def test_a_stopped_worker_gives_its_run_back_without_counting(run):
    runs.release(claimed(run), "the train worker was stopped", count_attempt=False)
    run.refresh_from_db()
    assert (run.status, run.attempts, run.lease) == (RunStatus.QUEUED, 0, None)


def test_a_waiting_run_is_cancelled_at_once(run):
    assert runs.cancel(run)
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert not runs.cancel(run)


def test_a_running_run_is_cancelled_by_whoever_works_on_it(run):
    held = claimed(run)
    assert runs.cancel(run)
    assert runs.is_cancelled(held)
    runs.died(held, "ended")
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED


def test_its_log_tells_what_happened(run):
    runs.finish(claimed(run), RunStatus.DONE, "version 2 was made")
    assert [event.text for event in run.events.all()] == [
        "requested by a person",
        "version 2 was made",
    ]


@pytest.mark.django_db(transaction=True)
def test_enough_new_corrections_ask_for_one_run(redis, settings):
    settings.RETRAIN_AFTER = 3
    digits = list(make_reading(ModelVersion.objects.first(), digits=4).digits.all())
    for count, digit in enumerate(digits, 1):
        correct(digit, 5, user=staff_member())
        assert TrainingRun.objects.count() == (count >= 3)
    assert TrainingRun.objects.get().origin == Origin.AUTOMATIC


def test_by_default_no_run_is_asked_for_by_itself(redis, settings):
    assert settings.RETRAIN_AFTER == 0
    correct(make_reading(ModelVersion.active()).digits.get(), 5, user=staff_member())
    assert not TrainingRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_wish_wakes_the_train_worker(redis):
    runs.ask(Recipe())
    assert connection.in_atomic_block is False
    assert redis.llen("train") == 1
