"""Notifications over Redis pub/sub, for requests that wait for a row to change.

They only shorten a wait: a waiting request looks at the database, too.
"""

import logging
import time
from collections.abc import Callable, Mapping

from redis.client import PubSub

from digits.queue import redis

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0  # between two looks at the database
LOOK_SECONDS_WITHOUT_REDIS = 0.2


def publish(messages: Mapping[str, str]) -> None:
    """Send a message to each of these channels."""
    try:
        with redis.client().pipeline(transaction=False) as pipeline:
            for channel, message in messages.items():
                pipeline.publish(channel, message)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("cannot notify, those who wait poll the database: %s", error)


def wait(channel: str, is_over: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is over, woken by messages on a channel.

    Args:
        channel: where a message comes when it may be over.
        is_over: looks at the database; called at least once a second.
        seconds: the longest wait.

    Returns:
        False if it was not over by then.
    """
    deadline = time.monotonic() + seconds
    if is_over():
        return True
    pubsub = _subscribed(channel)
    try:
        while not is_over():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if pubsub is None:
                time.sleep(min(LOOK_SECONDS_WITHOUT_REDIS, left))
                continue
            try:
                pubsub.get_message(timeout=min(LOOK_SECONDS, left))
            except redis.RedisError:
                _close(pubsub)
                pubsub = None
        return True
    finally:
        _close(pubsub)


def _subscribed(channel: str) -> PubSub | None:
    """Return a subscription, or None where Redis is down."""
    pubsub: PubSub | None = None
    try:
        pubsub = redis.client().pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(channel)
        pubsub.get_message(timeout=1)  # the subscription's own answer
    except redis.RedisError:
        _close(pubsub)
        return None
    return pubsub


def _close(pubsub: PubSub | None) -> None:
    if pubsub is not None:
        pubsub.close()
