"""How many uploads a worker claims at once."""

import math

from django.conf import settings

from digits.uploads import queue

# Below this, a batch costs more than the wait for it: see docs/decisions/half-of-the-senders.md.
FEWEST = 4


class Pace:
    """Claims about half of the uploads that are under way.

    Programs send their next upload when they have the answer to their last. If a worker claimed all
    that wait, nothing would be left for it while they are answered and send again: worker and web
    server would work by turns. With half of them it reads while the other half is answered.
    """

    def __init__(self) -> None:
        self._limit = settings.CLASSIFY_BATCH
        self.left = 0

    def claim(self, finished: int) -> queue.Claimed:
        """Claim uploads, and count in `left` how many wait still, up to two batches.

        finished: how many uploads have just been finished, whose senders may send again; 0 where
            the worker has waited since.
        """
        uploads = queue.claim(self._limit)
        is_full = len(uploads) == self._limit
        self.left = queue.count(2 * settings.CLASSIFY_BATCH) if is_full else 0
        under_way = finished + len(uploads) + self.left
        self._limit = min(settings.CLASSIFY_BATCH, max(FEWEST, math.ceil(under_way / 2)))
        return uploads
