"""Wake-ups: one pending message serves all rows, and none comes before its rows can be seen."""

import json

import pytest
from django.db import transaction

from digits.queue import wake_ups
from digits.uploads.queue import TASK


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
    wake_ups.received(TASK)
    wake_ups.send(TASK)
    assert len(messages(redis)) == 2


@pytest.mark.django_db(transaction=True)
def test_the_wake_up_comes_after_the_commit(redis):
    with transaction.atomic():
        wake_ups.send_after_commit(TASK)
        assert messages(redis) == []
    assert len(messages(redis)) == 1
