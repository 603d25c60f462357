"""Which rows name which stored files."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models


class Named(NamedTuple):
    """A field of a row that names a file."""

    model: type[models.Model]
    pk: int
    field: "models.FileField"

    def __str__(self) -> str:
        return f"{self.model._meta.verbose_name} {self.pk}, {self.field.verbose_name}"


def files_of_rows(cursor: Any) -> Iterator[tuple[str, Named]]:
    """Yield the name of each file that a row names, and that row.

    Args:
        cursor: of the database that is asked, Django's or that of the standard library.
    """
    quoted = connection.ops.quote_name
    for model in apps.get_app_config("digits").get_models():
        table, key = quoted(model._meta.db_table), quoted(str(model._meta.pk.column))
        for field in model._meta.concrete_fields:
            if isinstance(field, models.FileField):
                column = quoted(str(field.column))
                # Names of our own models.
                cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
                for pk, name in cursor:
                    yield name, Named(model, pk, field)
