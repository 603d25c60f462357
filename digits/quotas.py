"""Quotas: how much of the site's room and time one sender may have.

A sender is an account, or all that comes from one place without one: see Owner.sender. What is sent
is counted in the transaction that stores it, so that no process counts past another; what is
deleted is given back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F

from digits.models import Batch, Upload, Usage

SPENT_SECONDS = 5.0  # so long a sender that has spent its quota is refused without a look
MOST_SPENT = 10_000  # senders that are remembered
WAITING_SECONDS = 10  # after which to try again, when too much waits
INSUFFICIENT_STORAGE = 507  # RFC 4331, 6: also where a quota is spent


class NotTaken(Exception):
    """What is sent is not taken now. Its text is for whoever sent it.

    status: that of HTTP.
    seconds: after how long to try again; 0 where that alone will not help.
    """

    def __init__(self, message: str, status: int = 429, seconds: int = WAITING_SECONDS) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


@dataclass
class Charge:
    """What is to be counted for a sender: images, stored uploads, and bytes."""

    sent: int = 0
    stored: int = 0
    size: int = 0

    def add(self, other: Charge) -> None:
        self.sent += other.sent
        self.stored += other.stored
        self.size += other.size


_spent: dict[str, tuple[float, NotTaken]] = {}


def bounds_of(sender: str) -> Mapping[str, int]:
    """Return the bounds of an account or of a place; 0 is none."""
    found: Mapping[str, int] = settings.QUOTA if sender[:1] == "u" else settings.QUOTA_ANONYMOUS
    return found


def check(sender: str) -> None:
    """Raise NotTaken where a sender's quota was found spent a moment ago; it costs nothing."""
    until, refusal = _spent.get(sender, (0.0, None))
    if refusal is not None and time.monotonic() < until:
        raise NotTaken(str(refusal), refusal.status, refusal.seconds)


def note(sender: str, refusal: NotTaken) -> None:
    """Have `check` refuse a sender for a moment."""
    if len(_spent) > MOST_SPENT:
        _spent.clear()
    _spent[sender] = time.monotonic() + SPENT_SECONDS, refusal


def charge(charges: Mapping[str, Charge]) -> dict[str, int]:
    """Count what senders send, within the transaction that stores it.

    Args:
        charges: by sender; "" is nobody, who has no quota.

    Returns:
        The primary key of the Usage of each sender.

    Raises:
        NotTaken: a quota would be exceeded. The transaction is to be rolled back.
    """
    named = sorted((sender, one) for sender, one in charges.items() if sender)
    if not named:
        return {}
    today = datetime.now(UTC).date()
    values = [(sender, today, one.sent, one.stored, one.size) for sender, one in named]
    with connection.cursor() as cursor:
        cursor.execute(_statement(len(values)), [value for row in values for value in row])
        found = cursor.fetchall()
    for _, sender, sent, stored, size in found:
        refusal = _refusal(bounds_of(sender), charges[sender], sent, stored, size)
        if refusal is not None:
            note(sender, refusal)
            raise refusal
    return {sender: key for key, sender, *_ in found}


@cache
def _statement(count: int) -> str:
    """Return the statement that counts for so many senders, and returns what they have then."""
    table = connection.ops.quote_name(Usage._meta.db_table)
    places = ", ".join(["(%s, %s, %s, %s, %s)"] * count)
    return (
        f"INSERT INTO {table} AS u (sender, day, sent, stored, size) VALUES {places}"  # noqa: S608 # quoted names
        " ON CONFLICT (sender) DO UPDATE SET"
        " sent = CASE WHEN u.day = excluded.day THEN u.sent ELSE 0 END + excluded.sent,"
        " day = excluded.day, stored = u.stored + excluded.stored, size = u.size + excluded.size"
        " RETURNING id, sender, sent, stored, size"
    )


def _refusal(
    bounds: Mapping[str, int], charged: Charge, sent: int, stored: int, size: int
) -> NotTaken | None:
    """Return why a sender's charge is not taken; None if it is."""
    if charged.sent and 0 < bounds["day"] < sent:
        return NotTaken(
            f"The limit of images a day is reached ({bounds['day']:,}). Send the rest tomorrow.",
            seconds=_until_tomorrow(),
        )
    if charged.stored and 0 < bounds["files"] < stored:
        return NotTaken(
            f"The limit of stored images is reached ({bounds['files']:,}). Delete some first.",
            INSUFFICIENT_STORAGE,
            0,
        )
    if charged.size and 0 < bounds["megabytes"] * 1024**2 < size:
        return NotTaken(
            f"The limit of what is stored is reached ({bounds['megabytes']:,} MB). Delete some of"
            " your images or bulk jobs first.",
            INSUFFICIENT_STORAGE,
            0,
        )
    return None


def _until_tomorrow() -> int:
    now = datetime.now(UTC)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return max(1, round((midnight - now).total_seconds()))


def give_back(instance: Upload | Batch, **_: Any) -> None:
    """Receive the signal that a row was deleted: it counts no more."""
    if instance.usage_id:
        stored = 1 if isinstance(instance, Upload) else 0
        Usage.objects.filter(pk=instance.usage_id).update(
            stored=F("stored") - stored, size=F("size") - (instance.size or 0)
        )


def sweep() -> None:
    """Forget senders that have nothing stored, and have sent nothing today."""
    Usage.objects.filter(stored=0, size=0, day__lt=datetime.now(UTC).date()).delete()
