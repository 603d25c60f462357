"""Wake-ups: Celery messages that make workers look for rows to claim. They carry no data."""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from digits.queue import redis

logger = logging.getLogger(__name__)
PENDING = "digits:wake-up-pending"
PENDING_SECONDS = 5


def send(task: str, *, force: bool = False, **options: Any) -> bool:
    """Wake the workers because rows are waiting; one pending wake-up of a task serves all rows.

    Args:
        task: the name of the Celery task that looks for such rows.
        force: send one even where one is pending.
        options: Celery's own, for the message.

    Returns:
        False if Redis is down. The rows stay queued, and the sweeper wakes the workers later.
    """
    try:
        if redis.client().set(_pending(task), 1, nx=not force, ex=PENDING_SECONDS):
            current_app.send_task(task, retry=False, **options)
    except (redis.RedisError, OperationalError, OSError) as error:
        logger.warning("Redis is down, %s waits in the database: %s", task, error)
        return False
    return True


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
