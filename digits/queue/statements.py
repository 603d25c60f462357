"""Statements for what is stored many times a second, as the ORM takes longer to make a statement
than a database to carry it out.

Nothing but the statement itself is left out: values are prepared by the model's fields. No signals
are sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)
MOST_PARAMETERS = 30_000  # of one statement; SQLite and PostgreSQL allow a little more


def insert_all(rows: Sequence[Row]) -> None:
    """Store new rows of one model, as bulk_create does, and set their primary keys."""
    if not rows:
        return
    meta = type(rows[0])._meta
    fields = [field for field in meta.concrete_fields if field is not meta.pk]
    at_once = MOST_PARAMETERS // len(fields)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    with connection.cursor() as cursor:
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            cursor.execute(
                f"INSERT INTO {quote(meta.db_table)} ({columns})"
                f" VALUES {', '.join([places] * len(some))}"
                f" RETURNING {quote(str(meta.pk.column))}",
                [prepared(field, field.value_from_object(row)) for row in some for field in fields],
            )
            for row, (key,) in zip(some, cursor.fetchall(), strict=True):
                row.pk = key
                row._state.adding = False
                row._state.db = connection.alias


def update_each(model: type[models.Model], changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Write fields into rows: their new values by primary key, all with the same names."""
    quote, meta = connection.ops.quote_name, model._meta
    own = {field.name: field for field in meta.concrete_fields}
    fields = [own[name] for name in next(iter(changes.values()), ())]
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {quote(meta.db_table)} SET {columns} WHERE {quote(str(meta.pk.column))} = %s",
            [
                [*(prepared(field, new[field.name]) for field in fields), key]
                for key, new in changes.items()
            ],
        )


def select(
    model: type[models.Model], names: Iterable[str], name: str, values: Sequence[Any], end: str = ""
) -> list[tuple[Any, ...]]:
    """Return the columns of fields, of the rows where another field has one of some values.

    end: what is to follow the condition.
    """
    if not values:
        return []
    quote, meta = connection.ops.quote_name, model._meta
    own = {field.name: field for field in meta.concrete_fields}
    columns = ", ".join(quote(str(own[one].column)) for one in names)
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {quote(meta.db_table)}"
            f" WHERE {quote(str(own[name].column))} IN ({places}){end}",
            [prepared(own[name], value) for value in values],
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def prepared(field: "models.Field[Any, Any]", value: Any) -> Any:
    """Return a field's value as the database takes it; that of a foreign key may be a row."""
    if isinstance(value, models.Model):
        value = value.pk
    return field.get_db_prep_save(value, connection)
