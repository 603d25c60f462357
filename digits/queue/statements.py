"""Statements for what is stored many times a second, as the ORM takes longer to make a statement
than a database to carry it out.

Nothing but the statement itself is left out: values are prepared by the model's fields. No signals
are sent.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db import connection, connections, models

Row = TypeVar("Row", bound=models.Model)
# Values of these types are stored as they are.
NUMBERS = (models.IntegerField, models.FloatField, models.ForeignKey)
TEXTS = (models.CharField, models.TextField)
MOST_PARAMETERS = 30_000  # of one statement; SQLite and PostgreSQL allow a little more


class NewRows:
    """New rows of one model, of which some fields are given; all others have their defaults.

    Their values are prepared at once, so that a transaction need not wait for that.
    """

    def __init__(
        self, model: type[models.Model], names: Sequence[str], rows: Iterable[Iterable[Any]]
    ) -> None:
        """Prepare the rows.

        Args:
            model: what they are rows of.
            names: the fields that are given. A callable default is the same for all rows.
            rows: the values of each row, in the order of the names.
        """
        meta = model._meta
        others = [
            field
            for field in meta.concrete_fields
            if field is not meta.pk and field.name not in names
        ]
        own = {field.name: field for field in meta.concrete_fields}
        given = [own[name] for name in names]
        defaults = prepared(others, [field.get_default() for field in others])
        self._model, self._fields = model, [*given, *others]
        self._values = [[*row, *defaults] for row in prepared_rows(given, rows)]

    def put(self, name: str, values: Iterable[Any]) -> None:
        """Set the values of one field, which were not known when the rows were prepared."""
        (index,) = (i for i, field in enumerate(self._fields) if field.name == name)
        for row, (value,) in zip(
            self._values,
            prepared_rows([self._fields[index]], ([value] for value in values)),
            strict=True,
        ):
            row[index] = value

    def store(self) -> list[int]:
        """Store the rows, and return their primary keys."""
        keys: list[int] = []
        at_once = MOST_PARAMETERS // len(self._fields)
        with connection.cursor() as cursor:
            for start in range(0, len(self._values), at_once):
                some = self._values[start : start + at_once]
                cursor.execute(self._statement(len(some)), [one for row in some for one in row])
                keys += [key for (key,) in cursor.fetchall()]
        return keys

    def _statement(self, count: int) -> str:
        quote, meta = connection.ops.quote_name, self._model._meta
        columns = ", ".join(quote(str(field.column)) for field in self._fields)
        places = ", ".join([f"({', '.join(['%s'] * len(self._fields))})"] * count)
        table, key = quote(meta.db_table), quote(str(meta.pk.column))
        return f"INSERT INTO {table} ({columns}) VALUES {places} RETURNING {key}"  # noqa: S608 # quoted names


class Insert(Generic[Row]):
    """New rows of one model, which are stored as bulk_create does."""

    def __init__(self, rows: Sequence[Row], late: Iterable[str] = ()) -> None:
        """Prepare the rows.

        Args:
            rows: the new rows.
            late: the fields whose values are known only when they are stored.
        """
        self.rows, self._late = rows, list(late)
        if not rows:
            return
        meta = type(rows[0])._meta
        fields = [field for field in meta.concrete_fields if field is not meta.pk]
        self._attributes = {field.name: field.attname for field in fields}
        values = ([getattr(row, field.attname) for field in fields] for row in rows)
        self._new = NewRows(type(rows[0]), list(self._attributes), values)

    def store(self) -> None:
        """Store the rows, and set their primary keys."""
        if not self.rows:
            return
        for name in self._late:
            self._new.put(name, [getattr(row, self._attributes[name]) for row in self.rows])
        for row, key in zip(self.rows, self._new.store(), strict=True):
            row.pk = key
            row._state.adding = False
            row._state.db = connection.alias


class Update:
    """New values of fields of rows, prepared as those of Insert."""

    def __init__(self, model: type[models.Model], changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Prepare the values, by primary key; all have the same names."""
        meta = model._meta
        own = {field.name: field for field in meta.concrete_fields}
        self._fields = [own[name] for name in next(iter(changes.values()), ())]
        self._table, self._key = meta.db_table, str(meta.pk.column)
        values = ([new[field.name] for field in self._fields] for new in changes.values())
        rows = prepared_rows(self._fields, values)
        self._values = {key: [*row, key] for key, row in zip(changes, rows, strict=True)}

    def store(self, keys: Collection[int]) -> None:
        """Write the values of these rows."""
        if not keys:
            return
        quote = connection.ops.quote_name
        columns = ", ".join(f"{quote(str(field.column))} = %s" for field in self._fields)
        statement = f"UPDATE {quote(self._table)} SET {columns} WHERE {quote(self._key)} = %s"  # noqa: S608 # quoted names
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
            f"SELECT {columns} FROM {quote(meta.db_table)}"  # noqa: S608 # quoted names
            f" WHERE {quote(str(own[name].column))} IN ({places}){end}",
            prepared([own[name]] * len(values), values),
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def loaded(
    fields: "Sequence[models.Field[Any, Any]]", rows: Iterable[Sequence[Any]]
) -> list[list[Any]]:
    """Return rows of columns of a database as values of their fields."""
    found = [list(row) for row in rows]
    for place, column in enumerate(field.cached_col for field in fields):
        of_database = connection.ops.get_db_converters(column)
        for convert in (*of_database, *column.get_db_converters(connection)):
            for row in found:
                row[place] = convert(row[place], column, connection)
    return found


def prepared(fields: "Iterable[models.Field[Any, Any]]", values: Iterable[Any]) -> list[Any]:
    """Return values of fields as the database takes them; that of a foreign key may be a row."""
    (row,) = prepared_rows(fields, [values])
    return row


def prepared_rows(
    fields: "Iterable[models.Field[Any, Any]]", rows: Iterable[Iterable[Any]]
) -> list[list[Any]]:
    """Return rows of values of the same fields as the database takes them."""
    database = connections[connection.alias]  # `connection` looks it up for each attribute
    columns = [(field, _kept_types(field)) for field in fields]
    times: dict[datetime, Any] = {}  # rows that are stored together have the same ones

    def one(field: "models.Field[Any, Any]", value: Any) -> Any:
        if type(value) is datetime:
            if value not in times:
                times[value] = field.get_db_prep_save(value, database)
            return times[value]
        key = value.pk if isinstance(value, models.Model) else value
        return field.get_db_prep_save(key, database)

    return [
        [
            value if value is None or type(value) in kept else one(field, value)
            for (field, kept), value in zip(columns, row, strict=True)
        ]
        for row in rows
    ]


def _kept_types(field: "models.Field[Any, Any]") -> tuple[type, ...]:
    """Return the types of values that a field stores as they are."""
    if isinstance(field, NUMBERS):
        return int, float
    return (str,) if isinstance(field, TEXTS) else ()
