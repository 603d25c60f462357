"""Statements for what is stored many times a second, as the ORM takes longer to make a statement
than a database to carry it out.

Nothing but the statement itself is left out: values are prepared by the model's fields. No signals
are sent.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection, connections, models

Row = TypeVar("Row", bound=models.Model)
NUMBERS = (models.IntegerField, models.FloatField, models.ForeignKey)  # stored as they are
MOST_PARAMETERS = 30_000  # of one statement; SQLite and PostgreSQL allow a little more


class Insert(Generic[Row]):
    """New rows of one model, which are stored as bulk_create does.

    Their values are prepared at once, so that a transaction need not wait for that.
    """

    def __init__(self, rows: Sequence[Row], late: Iterable[str] = ()) -> None:
        """Prepare the rows.

        Args:
            rows: the new rows.
            late: the fields whose values are known only when they are stored.
        """
        self.rows = rows
        if not rows:
            return
        meta = type(rows[0])._meta
        self._fields = [field for field in meta.concrete_fields if field is not meta.pk]
        self._late = [index for index, field in enumerate(self._fields) if field.name in late]
        self._values = [
            prepared(self._fields, [getattr(row, field.attname) for field in self._fields])
            for row in rows
        ]

    def store(self) -> None:
        """Store the rows, and set their primary keys."""
        if not self.rows:
            return
        for row, values in zip(self.rows, self._values, strict=True):
            for index in self._late:
                field = self._fields[index]
                values[index : index + 1] = prepared([field], [getattr(row, field.attname)])
        at_once = MOST_PARAMETERS // len(self._fields)
        with connection.cursor() as cursor:
            for start in range(0, len(self.rows), at_once):
                some = self._values[start : start + at_once]
                cursor.execute(self._statement(len(some)), [one for row in some for one in row])
                for row, (key,) in zip(self.rows[start:], cursor.fetchall(), strict=False):
                    row.pk = key
                    row._state.adding = False
                    row._state.db = connection.alias

    def _statement(self, count: int) -> str:
        quote, meta = connection.ops.quote_name, type(self.rows[0])._meta
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        places = ", ".join([f"({', '.join(['%s'] * len(self._fields))})"] * count)
        table, key = quote(meta.db_table), quote(str(meta.pk.column))
        return f"INSERT INTO {table} ({columns}) VALUES {places} RETURNING {key}"


class Update:
    """New values of fields of rows, prepared as those of Insert."""

    def __init__(self, model: type[models.Model], changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Prepare the values, by primary key; all have the same names."""
        meta = model._meta
        own = {field.name: field for field in meta.concrete_fields}
        self._fields = [own[name] for name in next(iter(changes.values()), ())]
        self._table, self._key = meta.db_table, str(meta.pk.column)
        self._values = {
            key: [*prepared(self._fields, [new[field.name] for field in self._fields]), key]
            for key, new in changes.items()
        }

    def store(self, keys: Collection[int]) -> None:
        """Write the values of these rows."""
        if not keys:
            return
        quote = connection.ops.quote_name
        columns = ", ".join(f"{quote(str(field.column))} = %s" for field in self._fields)
        statement = f"UPDATE {quote(self._table)} SET {columns} WHERE {quote(self._key)} = %s"
        with connection.cursor() as cursor:
            cursor.executemany(statement, [self._values[key] for key in keys])


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
            prepared([own[name]] * len(values), values),
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def prepared(fields: "Iterable[models.Field[Any, Any]]", values: Iterable[Any]) -> list[Any]:
    """Return values of fields as the database takes them; that of a foreign key may be a row."""
    database = connections[connection.alias]  # `connection` looks it up for each attribute
    return [
        value
        if value is None or (type(value) in (int, float) and isinstance(field, NUMBERS))
        else field.get_db_prep_save(
            value.pk if isinstance(value, models.Model) else value, database
        )
        for field, value in zip(fields, values, strict=True)
    ]
