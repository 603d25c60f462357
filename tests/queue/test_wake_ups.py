"""Wake-ups: one pending message serves all rows, and none comes before its rows can be seen."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import transaction

from digits.queue import wake_ups
from digits.queue.wake_ups import Listening
from digits.uploads.queue import TASK
from digits.versions import activations
from webapp.beat import Scheduler
from webapp.celery import app


def messages(redis) -> list[dict]:
    return [json.loads(message) for message in redis.lrange("classify", 0, -1)]


def test_a_wake_up_is_one_message_on_the_classify_queue_without_ids(redis):
    assert wake_ups.send(TASK)
    (message,) = messages(redis)
    assert message["headers"]["task"] == "digits.classify"
    assert message["content-type"] == "application/json"
    assert message["headers"]["argsrepr"] == "()"


def test_one_pending_wake_up_serves_all(redis):
    for _ in range(5):
        wake_ups.send(TASK)
    assert len(messages(redis)) == 1
    redis.delete("classify")  # a worker takes it
    wake_ups.send(TASK)
    assert messages(redis) == []  # before it says that it looks for rows
    wake_ups.received(TASK)
    wake_ups.send(TASK)
    assert len(messages(redis)) == 1


@pytest.mark.django_db(transaction=True)
def test_the_wake_up_comes_after_the_commit(redis):
    with transaction.atomic():
        wake_ups.send_after_commit(TASK)
        assert messages(redis) == []
    assert len(messages(redis)) == 1


def test_whoever_listens_hears_a_wake_up_and_no_message_is_sent(redis):
    with Listening(TASK) as listening:
        assert listening.is_listening
        assert wake_ups.send(TASK)
        assert listening.wait(5)
    assert messages(redis) == []


def test_a_wake_up_ends_the_wait_at_once(redis):
    with Listening(TASK) as listening:
        threading.Timer(0.1, wake_ups.send, [TASK]).start()
        started = time.monotonic()
        assert listening.wait(10)
        assert time.monotonic() - started < 5


def test_after_listening_a_message_is_sent_again(redis):
    with Listening(TASK):
        pass
    for _ in range(100):  # Redis hears of it a moment later
        if not redis.pubsub_numsub(f"{wake_ups.LISTENING}:{TASK}")[0][1]:
            break
        time.sleep(0.01)
    assert wake_ups.send(TASK)
    assert len(messages(redis)) == 1


def test_several_wake_ups_are_heard_once(redis):
    with Listening(TASK) as listening:
        for _ in range(5):
            wake_ups.send(TASK)
        assert listening.wait(5)
        assert not listening.wait(0.05)


def test_all_who_listen_hear_a_wake_up(redis):
    with Listening(TASK) as one, Listening(TASK) as other:
        wake_ups.send(TASK)
        assert one.wait(5)
        assert other.wait(5)


def test_a_wake_up_of_another_task_is_not_heard(redis):
    with Listening("digits.other") as listening:
        wake_ups.send(TASK)
        assert not listening.wait(0.05)
    assert len(messages(redis)) == 1


def test_a_wait_without_a_wake_up_ends_in_time(redis):
    with Listening(TASK) as listening:
        started = time.monotonic()
        assert not listening.wait(0.2)
        assert 0.15 < time.monotonic() - started < 2


def test_a_wait_of_no_seconds_only_looks(redis):
    with Listening(TASK) as listening:
        started = time.monotonic()
        assert not listening.wait(0)
        assert time.monotonic() - started < 0.1
        wake_ups.send(TASK)
        assert any(listening.wait(0) or time.sleep(0.01) for _ in range(100))
        assert not listening.wait(0)


@pytest.mark.parametrize("option", ["others", "force"])
def test_others_may_be_woken_although_somebody_listens(redis, option):
    with Listening(TASK) as listening:
        assert wake_ups.send(TASK, **{option: True})
        assert not listening.wait(0.05)
    assert len(messages(redis)) == 1


def test_others_are_woken_by_one_pending_message(redis):
    for _ in range(3):
        wake_ups.send(TASK, others=True)
    assert len(messages(redis)) == 1


def test_without_redis_nobody_listens_or_waits(redis_down):
    with Listening(TASK) as listening:
        assert not listening.is_listening
        started = time.monotonic()
        assert not listening.wait(10)
        assert time.monotonic() - started < 1
    assert not wake_ups.send(TASK)


def test_where_redis_goes_down_meanwhile_the_wait_ends(redis):
    with Listening(TASK) as listening:
        redis.client_kill_filter(_type="pubsub")
        started = time.monotonic()
        assert not listening.wait(0.5)
        assert time.monotonic() - started < 5


def test_wake_ups_of_sweeps_do_not_pile_up_without_a_worker(redis):
    for _ in range(100):
        assert wake_ups.send(TASK, force=True)
    assert len(messages(redis)) == 1
    redis.delete("classify")
    wake_ups.send(TASK, force=True)
    assert len(messages(redis)) == 1


def test_a_message_of_one_task_does_not_stand_for_another(redis):
    for task in (TASK, activations.TASK, TASK, activations.TASK):
        wake_ups.send(task, force=True)
    tasks = [message["headers"]["task"] for message in reversed(messages(redis))]
    assert tasks == [TASK, activations.TASK]


def test_sweeps_do_not_pile_up_without_a_worker(redis, tmp_path):
    scheduler = Scheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    entry = scheduler.schedule["sweep"]
    for _ in range(100):
        scheduler.apply_async(entry, advance=False)
    assert redis.llen("maintenance") == 1
    scheduler.close()


def test_a_sweep_never_expires_by_a_clock(redis, tmp_path):
    scheduler = Scheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    scheduler.apply_async(scheduler.schedule["sweep"], advance=False)
    (message,) = redis.lrange("maintenance", 0, -1)
    assert json.loads(message)["headers"]["expires"] is None
    scheduler.close()


def test_sweeps_go_on_when_the_clock_is_set_back(redis, tmp_path):
    scheduler = Scheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    entry = scheduler.schedule["sweep"]
    entry.last_run_at = entry.default_now() + timedelta(minutes=5)
    assert scheduler.tick() <= settings.SWEEP_SECONDS
    assert entry.last_run_at <= entry.default_now()
    scheduler.close()


def test_messages_do_not_pile_up_without_a_worker(redis):
    for _ in range(100):
        redis.delete(f"{wake_ups.PENDING}:{TASK}")  # it has run out
        wake_ups.send(TASK)
    assert len(messages(redis)) == 1
