"""Tallies: uploads are counted in blocks of successive numbers, not whenever somebody looks.

The sweep counts a block when all its uploads have ended. What changes later makes it stale until
the sweep counts it anew: an upload is deleted, or people give their verdict on it. Whoever looks
counts the few uploads that no fresh tally covers. So the figures are exact at any time, and an
upload takes no longer.
"""

import json
import math
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from digits.models import Tally, Upload

BLOCK = 4000  # uploads, which are counted in a few milliseconds
SETTLE_SECONDS = 60  # meanwhile whoever looks counts what no tally covers
SETTLED_AFTER = timedelta(seconds=10)  # by then, what has a smaller number is committed

_settled_at = -math.inf
Counts = Counter[tuple[int, str]]  # by the primary key of a version, and the verdict


def by_version() -> Counts:
    """Return the number of uploads that each version has read, by the verdict on them."""
    fresh = Tally.objects.filter(is_stale=False).order_by("block")
    texts = fresh.annotate(text=Cast("counts", TextField())).values_list("block", "text")
    known = dict(texts)
    counts = _counted(_outside(list(known)))
    for tally in json.loads(f"[{','.join(known.values())}]"):  # at once, since there are many
        for version, verdict, count in tally:
            counts[version, verdict] += count
    return counts


def touch(upload: Upload) -> None:
    """Have an upload counted anew, within the transaction that changes or deletes it."""
    block = (upload.pk or 0) // BLOCK
    Tally.objects.filter(block=block, is_stale=False).update(is_stale=True)


def touch_deleted(instance: Upload, **_: Any) -> None:
    """Receive the signal that an upload was deleted."""
    touch(instance)


def settle_if_due() -> None:
    """Settle if this process last did so more than SETTLE_SECONDS ago: sweeps come more often."""
    global _settled_at
    if time.monotonic() - _settled_at >= SETTLE_SECONDS:
        settle()
        _settled_at = time.monotonic()


def settle() -> None:
    """Count what is stale, and begin the tallies of blocks whose uploads have all ended.

    A tally begins stale: whoever changes an upload sees the tally then, or has committed before it
    is counted.
    """
    for block in list(Tally.objects.filter(is_stale=True).values_list("block", flat=True)):
        with transaction.atomic():
            tally = Tally.objects.select_for_update().get(block=block)
            tally.counts = [
                [*key, count] for key, count in _counted(_within(block, block + 1)).items()
            ]
            tally.is_stale = False
            tally.save(update_fields=["counts", "is_stale"])
    last = Tally.objects.aggregate(last=Max("block"))["last"]
    following = 0 if last is None else last + 1
    Tally.objects.bulk_create(
        [Tally(block=block) for block in range(following, _first_unsettled_block())],
        ignore_conflicts=True,
    )


def _first_unsettled_block() -> int:
    """Return the first block that has, or may still get, uploads that have not ended."""
    settled = Upload.objects.filter(created_at__lt=timezone.now() - SETTLED_AFTER)
    key = settled.order_by("-created_at", "-pk").values_list("pk", flat=True).first() or 0
    unfinished = Upload.objects.unfinished().aggregate(first=Min("pk"))["first"]
    return min(key, unfinished or key) // BLOCK


def _within(first: int, end: int) -> Q:
    """Return the condition for uploads from the begin of one block to that of another."""
    return Q(pk__gte=first * BLOCK, pk__lt=end * BLOCK)


def _outside(covered: list[int]) -> Q:
    """Return the condition for uploads outside of these blocks, which are in order."""
    edges = [-1, *covered]
    condition = Q(pk__gte=(edges[-1] + 1) * BLOCK)
    for before, block in pairwise(edges):
        if before + 1 < block:
            condition |= _within(before + 1, block)
    return condition


def _counted(condition: Q) -> Counts:
    rows = Upload.objects.filter(condition, version__isnull=False).order_by()
    found = rows.values_list("version", "verdict").annotate(count=Count("pk"))
    return Counter({(version, verdict): count for version, verdict, count in found})
