"""Classes of nodes that read: with GPUs, or with processors alone.

Uploads go to whoever is free. What has time, bulk jobs and rereadings, goes to the GPUs while one
of them is alive, and to processors otherwise. A node whose GPUs cannot be used reads on its
processor, and so takes what is for processors, too.
"""

import time
from enum import StrEnum

from digits.queue import heartbeats

EITHER = "classify"  # the queue from which every node that reads takes
KNOWN_SECONDS = 3.0  # the class of the nodes that are alive is looked up so often


class NodeClass(StrEnum):
    """What a node reads with."""

    GPU = "gpu"
    CPU = "cpu"

    @property
    def queue(self) -> str:
        """The queue of what is meant for this class."""
        return f"{EITHER}.{self}"

    @property
    def queues(self) -> list[str]:
        """The queues from which nodes of this class take."""
        return [EITHER, *(one.queue for one in NodeClass if one in (self, NodeClass.CPU))]


class _Alive:
    """Whether a process that reads on a GPU is alive, as it was known a moment ago."""

    def __init__(self) -> None:
        self._has_gpu = False
        self._until = 0.0

    def has_gpu(self) -> bool:
        if time.monotonic() >= self._until:
            self._has_gpu = any(is_gpu(beat["device"]) for beat in heartbeats.workers())
            self._until = time.monotonic() + KNOWN_SECONDS
        return self._has_gpu


alive = _Alive()


def is_gpu(device: str) -> bool:
    """Return whether a process that names its device so reads on a GPU."""
    return device.startswith("GPU ")


def class_of(gpus: list[str]) -> NodeClass:
    """Return the class of a node that reads on these GPUs."""
    return NodeClass.GPU if gpus else NodeClass.CPU


def queue_for_bulk() -> str:
    """Return the queue for what has time: that of GPUs where one is alive.

    Raises:
        RedisError: Redis is down.
    """
    return (NodeClass.GPU if alive.has_gpu() else NodeClass.CPU).queue
