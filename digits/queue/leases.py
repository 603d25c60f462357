"""Leases: each row that is to be worked on is held by one worker at a time.

A worker claims free rows under a lease that runs out, renews it while it works, and then finishes
or releases the rows. A worker that lost the lease changes nothing. The sweeper frees rows whose
lease ran out, and gives up those that were tried too often. So everything may happen twice, and is
then harmless.

A row is free while it has no lease. Which free rows are to be worked on, in which order, and what
it means to be finished, differs from model to model: see uploads.queue, uploads.rereading,
batches.parts, versions.activations and learning.runs.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F

from digits.queue import clock, statements

logger = logging.getLogger(__name__)


class Leased(models.Model):
    """A row that is worked on under a lease.

    when_claimed, when_free: what else is written into a row that is claimed or freed.
    """

    when_claimed: ClassVar[Mapping[str, Any]] = {}
    when_free: ClassVar[Mapping[str, Any]] = {}

    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=Leased)


def claim(
    rows: models.QuerySet[Row],
    limit: int = 1,
    *,
    together: Callable[[Sequence[Row]], Sequence[Row]] = list,
    related: Iterable[str] = (),
    **fields: Any,
) -> list[Row]:
    """Claim the first free rows under one new lease, and count the attempt.

    Args:
        rows: what may be claimed, in the order of claiming; those with a lease are left out.
        limit: how many at most.
        together: picks those of the first rows that may share a lease; it never sees none.
        related: foreign keys to load with the claimed rows.
        fields: what else to write into each.

    Returns:
        The claimed rows by primary key, as they are now; none where none is free, or others are
        claiming them.
    """
    model, written = rows.model, {**new_lease(), **rows.model.when_claimed, **fields}
    with transaction.atomic():
        free = rows.filter(lease__isnull=True).select_related(*related)
        if connection.features.has_select_for_update_skip_locked:
            free = free.select_for_update(skip_locked=True, of=("self",))
        first = list(free[:limit])
        if not first:
            return []
        # The transaction holds these rows, so that they are as they were read.
        claimed = sorted(together(first), key=lambda row: row.pk)
        model._base_manager.filter(pk__in=[row.pk for row in claimed]).update(
            attempts=F("attempts") + 1, **written
        )
    for row in claimed:
        row.attempts += 1
        for name, value in written.items():
            setattr(row, name, value)
    return claimed


def claim_at_once(
    rows: Callable[[], models.QuerySet[Row]],
    limit: int,
    load: tuple[str, ...],
    **fields: Any,
) -> list[Row]:
    """Claim free rows as `claim` does, by one statement that is compiled once.

    It is for rows that are claimed many times a second.

    Args:
        rows: returns what may be claimed, in the order of claiming; called once a limit, so that
            it must always return the same.
        limit: how many at most.
        load: fields to load with the rows; all others are loaded when they are asked for.
        fields: what else to write into each.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        model, free, params = _statement(rows, limit)
        written = {**new_lease(), **model.when_claimed, **fields}
        quote, meta = connection.ops.quote_name, model._meta
        own = {field.name: field for field in meta.concrete_fields}
        column = {name: quote(str(field.column)) for name, field in own.items()}
        key, wanted = str(meta.pk.name), {str(meta.pk.name), "attempts", *load}
        names = [name for name in own if name in wanted]  # from_db takes them in this order
        sets = [f"{column['attempts']} = {column['attempts']} + 1"]
        sets += [f"{column[name]} = %s" for name in written]
        values = statements.prepared([own[name] for name in written], written.values())
        # PostgreSQL may carry out a query in IN (...) for each row, and find others each time.
        is_found = f"= ANY(ARRAY({free}))" if connection.vendor == "postgresql" else f"IN ({free})"
        cursor.execute(
            f"UPDATE {quote(meta.db_table)} SET {', '.join(sets)}"  # noqa: S608 # quoted names
            f" WHERE {column[key]} {is_found}"
            f" RETURNING {', '.join(column[name] for name in names)}",
            [*values, *params],
        )
        found = statements.loaded([own[name] for name in names], cursor.fetchall())
    claimed = [model.from_db(connection.alias, names, row) for row in found]
    claimed.sort(key=lambda one: one.pk)
    for one in claimed:
        for name, value in written.items():
            setattr(one, name, value)
    return claimed


@cache
def _statement(
    rows: Callable[[], models.QuerySet[Row]], limit: int
) -> tuple[type[Row], str, tuple[Any, ...]]:
    """Return the model of rows to claim, the statement that finds their keys, its parameters."""
    free = rows().filter(lease__isnull=True)
    if connection.features.has_select_for_update_skip_locked:
        free = free.select_for_update(skip_locked=True, of=("self",))
    statement, params = free.values("pk")[:limit].query.sql_with_params()
    return free.model, statement, params


def held(*rows: Row) -> models.QuerySet[Row]:
    """Return those of the rows of one claim that are still under the lease they were claimed with.

    Raises:
        ValueError: the rows do not share a lease.
    """
    lease = _lease_of(rows)
    return type(rows[0])._base_manager.filter(pk__in=[row.pk for row in rows], lease=lease)


def _lease_of(rows: Sequence[Leased]) -> uuid.UUID:
    """Return the lease that rows share; ValueError where they share none."""
    first, *others = rows
    if first.lease is None or any(row.lease != first.lease for row in others):
        raise ValueError("expected rows that were claimed together, received others")
    return first.lease


def renew(*rows: Row) -> int:
    """Let the lease of claimed rows run from now.

    Returns:
        How many are still held. A worker stops working on those that are not.
    """
    return held(*rows).update(lease_expires_at=new_lease()["lease_expires_at"])


def finish(*rows: Row, **fields: Any) -> int:
    """End claimed rows in one UPDATE.

    Returns:
        How many were ended. For others the lease was lost, and nothing changed.
    """
    return _let_go(held(*rows), **({"finished_at": clock.now()} | fields))


class Finishing(Generic[Row]):
    """The end of claimed rows of one claim, each with fields of its own.

    The fields are prepared before the transaction that writes them.
    """

    def __init__(self, ended: Mapping[Row, Mapping[str, Any]]) -> None:
        """Prepare the fields of each row; all have the same names."""
        self._ended = ended
        over = {"finished_at": clock.now(), "lease": None, "lease_expires_at": None}
        if ended:
            changes = {row.pk: over | dict(fields) for row, fields in ended.items()}
            self._update = statements.Update(type(next(iter(ended))), changes)

    def finish(self) -> list[Row]:
        """End the rows, by one statement for all, in a transaction that holds them to its end.

        Returns:
            Those that were ended. For others the lease was lost, and nothing changed.
        """
        keys = _held_keys(list(self._ended)) if self._ended else set()
        rows = [row for row in self._ended if row.pk in keys]
        if rows:
            self._update.store([row.pk for row in rows])
        for row in rows:
            for name, value in self._ended[row].items():
                setattr(row, name, value)
        return rows


def _held_keys(rows: Sequence[Leased]) -> set[int]:
    """Return the keys of those of the rows of one claim that are still held, and keep them so."""
    lease = _lease_of(rows)
    keep = " FOR UPDATE" if connection.features.has_select_for_update else ""
    return {key for (key,) in statements.select(type(rows[0]), ["id"], "lease", [lease], keep)}


def release(
    *rows: Row, after: float | None = None, count_attempt: bool = True, **fields: Any
) -> int:
    """Let claimed rows be claimed again.

    Args:
        after: in so many seconds, by the sweeper, while nobody holds them; None: at once.
        count_attempt: False where the attempt says nothing about the rows.
        fields: what else to write into each.

    Returns:
        How many were released. For others the lease was lost, and nothing changed.
    """
    if not count_attempt:
        fields = {"attempts": F("attempts") - 1} | fields
    if after is None:
        return _let_go(held(*rows), **{**type(rows[0]).when_free, **fields})
    return held(*rows).update(**(new_lease(after) | fields))


def _let_go(rows: models.QuerySet[Row], **fields: Any) -> int:
    return rows.update(lease=None, lease_expires_at=None, **fields)


def sweep(
    rows: models.QuerySet[Row],
    give_up: Callable[[Row], object],
    free: Callable[[Row], object] = release,
) -> tuple[int, int]:
    """Free the rows whose lease ran out; give up those that were tried too often.

    Args:
        rows: all unfinished rows of a model.
        give_up: ends a row whose last attempt is over; the sweeper holds it meanwhile.
        free: releases any other row, which the sweeper holds, too.

    Returns:
        How many were freed, and how many were given up.
    """
    freed = given_up = 0
    stuck = rows.filter(lease__isnull=False, lease_expires_at__lt=clock.now())
    for row in stuck.order_by("pk"):
        if not _take_over(row):
            continue
        if row.attempts >= settings.MAX_ATTEMPTS:
            give_up(row)
            given_up += 1
        else:
            free(row)
            freed += 1
    if freed or given_up:
        name = rows.model._meta.verbose_name_plural
        logger.warning("leases of %s ran out: %d freed, %d given up", name, freed, given_up)
    return freed, given_up


def _take_over(row: Leased) -> bool:
    """Hold a row whose lease ran out. False: its holder renewed, finished or released it first."""
    lease = new_lease()
    if not held(row).filter(lease_expires_at__lt=clock.now()).update(**lease):
        return False
    row.lease = lease["lease"]
    return True


def new_lease(seconds: float | None = None) -> dict[str, Any]:
    """Return the fields of a new lease, which runs so many seconds: else LEASE_SECONDS."""
    runs = timedelta(seconds=settings.LEASE_SECONDS if seconds is None else seconds)
    return {"lease": uuid.uuid4(), "lease_expires_at": clock.now() + runs}
