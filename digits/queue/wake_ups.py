"""Wake-ups: messages that make workers look for rows to claim. They carry no data.

A worker that has nothing to do listens for a moment before its task ends, so that the next row need
not wait for another Celery message.
"""

import json
import logging
import time
from typing import Any, Self

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from digits.queue import nodes, redis

logger = logging.getLogger(__name__)
PENDING = "digits:wake-up-pending"
PENDING_SECONDS = 5
MOST_MESSAGES = 100  # of one queue, which has one of each task, or what an earlier version sent
LISTENING = "digits:wake-up"


def send(task: str, *, force: bool = False, others: bool = False, **options: Any) -> bool:
    """Wake the workers because rows are waiting.

    A worker that listens hears of it at once. Else a Celery message is sent, and one pending
    message of a task serves all rows. None is sent while one waits still.

    Args:
        task: the name of the Celery task that looks for such rows.
        force: send a Celery message even where one is pending, or somebody listens.
        others: send one, even where somebody listens: those who do have enough to do.
        options: Celery's own, for the message.

    Returns:
        False if Redis is down. The rows stay queued, and the sweeper wakes the workers later.
    """
    try:
        client = redis.client()
        if not force and not others and client.publish(_channel(task), ""):
            return True
        is_first = client.set(_pending(task), 1, nx=not force, ex=PENDING_SECONDS)
        queue = _queue_of(task)
        if is_first and not _is_waiting(task, queue):
            current_app.send_task(task, retry=False, queue=queue, **options)
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("Redis is down, %s waits in the database: %s", task, error)
        return False
    return True


def is_waiting(task: str) -> bool:
    """Return whether a message of a task waits still, so that no worker was free to take it.

    Another would help nobody, and hold up those of other tasks behind it.

    Raises:
        RedisError: Redis is down.
    """
    return _is_waiting(task, _queue_of(task))


def _queue_of(task: str) -> str:
    """Return the queue that messages of a task go to now."""
    routed: str = current_app.conf.task_routes[task]["queue"]
    return nodes.queue_for_bulk() if routed == nodes.NodeClass.CPU.queue else routed


def _is_waiting(task: str, queue: str) -> bool:
    messages = redis.client().lrange(queue, 0, MOST_MESSAGES - 1)
    return len(messages) == MOST_MESSAGES or task in map(_task_of, messages)


def _task_of(message: str | bytes) -> str:
    return str(json.loads(message)["headers"]["task"])


class Listening:
    """While it is entered, wake-ups of a task come here, and no Celery message is sent for them.

    Whoever leaves it must look once more for rows: one may have come with the last wake-up.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self._pubsub: redis.PubSub | None = None

    def __enter__(self) -> Self:
        try:
            self._pubsub = redis.client().pubsub()
            self._pubsub.subscribe(_channel(self._task))
            self._pubsub.get_message(timeout=1)  # the subscription's own answer
        except redis.RedisError as error:
            logger.warning("cannot listen for wake-ups: %s", error)
            self.__exit__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None

    @property
    def is_listening(self) -> bool:
        """Whether wake-ups come here: not without Redis."""
        return self._pubsub is not None

    def wait(self, seconds: float) -> bool:
        """Wait for a wake-up, at most so many seconds. Return False if none came."""
        if self._pubsub is None:
            return False
        deadline, heard = time.monotonic() + seconds, False
        try:
            while True:
                left = 0 if heard else max(0, deadline - time.monotonic())
                message = self._pubsub.get_message(timeout=left)
                if message is not None:
                    heard = heard or message["type"] == "message"
                elif heard or time.monotonic() >= deadline:  # else it was a health check's answer
                    return heard
        except redis.RedisError as error:
            logger.warning("cannot listen for wake-ups: %s", error)
            self.__exit__()
        return heard


def send_after_commit(task: str, **options: Any) -> None:
    """Send a wake-up after the transaction, when others can see the rows."""
    transaction.on_commit(lambda: send(task, **options), robust=True)


def received(task: str) -> None:
    """Note that a worker starts to claim: later rows need another wake-up."""
    try:
        redis.client().delete(_pending(task))
    except redis.RedisError as error:
        logger.warning("cannot clear the pending wake-up: %s", error)


def _pending(task: str) -> str:
    return f"{PENDING}:{task}"


def _channel(task: str) -> str:
    return f"{LISTENING}:{task}"
