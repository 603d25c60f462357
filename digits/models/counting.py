"""One small question to the database, asked about many things by one statement."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet


def count_each(rows: QuerySet[Any], things: Sequence[Sequence[Any]], most: int) -> list[int]:
    """Return how many rows there are for each of some things, at most `most` + 1 of each.

    Args:
        rows: the query for any one of them.
        things: the parameters of the query for each, as the database takes them.
        most: where counting ends, so that it takes no longer the more rows there are.
    """
    some = _keys(rows.order_by(), most + 1)
    return _answers(f"SELECT COUNT(*) FROM ({some}) AS found", things)  # noqa: S608 # Django's own


def first_of_each(rows: QuerySet[Any], things: Sequence[Sequence[Any]]) -> list[int | None]:
    """Return the primary key of the first row for each of some things, as count_each."""
    return _answers(_keys(rows, 1), things)


def _keys(rows: QuerySet[Any], most: int) -> str:
    sql, _ = rows.values("pk")[:most].query.sql_with_params()
    return sql


def _answers(sql: str, things: Sequence[Sequence[Any]]) -> list[Any]:
    if not things:
        return []
    with connection.cursor() as cursor:
        columns = ", ".join([f"({sql})"] * len(things))
        cursor.execute(f"SELECT {columns}", [one for params in things for one in params])
        return list(cursor.fetchone())
