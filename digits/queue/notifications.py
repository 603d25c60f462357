"""Notifications over Redis pub/sub, for requests that wait for a row to change.

They only shorten a wait: a waiting request looks at the database, too.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from digits.queue import redis

logger = logging.getLogger(__name__)
AGAIN_SECONDS = 1.0  # after Redis went down
STOP_SECONDS = 0.5  # between two looks whether to stop


def publish(channel: str, items: Sequence[Any]) -> None:
    """Send items, of which JSON can be made, to those who listen to a channel."""
    try:
        redis.client().publish(channel, json.dumps(items))
    except redis.RedisError as error:
        logger.warning("cannot notify, those who wait poll the database: %s", error)


class Listener:
    """One subscription of a process to a channel, in a thread of its own."""

    def __init__(
        self, channel: str, on_items: Callable[[list[Any]], None], on_start: Callable[[], None]
    ) -> None:
        """Prepare to listen; nothing is sent before `start`.

        Args:
            on_items: called with the items of each message.
            on_start: called whenever listening begins: what was sent before is not known.
        """
        self.channel, self.on_items, self.on_start = channel, on_items, on_start
        self.is_listening = False
        self._is_stopped = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, if this process does not yet."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._is_stopped.clear()
                self._thread = threading.Thread(
                    target=self._listen, name=f"listens to {self.channel}", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Stop listening, and give the thread's connections back."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _listen(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._listen_until_it_fails()
            except redis.RedisError as error:
                if self.is_listening:
                    logger.warning("not notified, those who wait poll the database: %s", error)
            except Exception:
                logger.exception("a notification could not be passed on")
            self.is_listening = False
            self._is_stopped.wait(AGAIN_SECONDS)
        connections.close_all()

    def _listen_until_it_fails(self) -> None:
        with redis.client().pubsub() as pubsub:
            pubsub.subscribe(self.channel)
            while not self._is_stopped.is_set():
                message = pubsub.get_message(timeout=STOP_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self.is_listening = True
                    self.on_start()
                elif message["type"] == "message":
                    self.on_items(json.loads(message["data"]))
