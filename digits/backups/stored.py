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


def files_of_rows(cursor: Any = None) -> Iterator[tuple[str, Named]]:
    """Yield the name of each file that a row names, and that row.

    Args:
        cursor: of the database that is asked, as the standard library has it; else this site's.
    """
    quoted = connection.ops.quote_name
    for model in apps.get_app_config("digits").get_models():
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.FileField):
                continue
            if cursor is None:
                rows = model._base_manager.exclude(**{field.name: ""})
                found: Any = rows.values_list("pk", field.name).iterator()
            else:
                key, column = quoted(str(model._meta.pk.column)), quoted(str(field.column))
                table = quoted(model._meta.db_table)
                # Names of our own models.
                cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
                found = cursor
            for pk, name in found:
                yield name, Named(model, pk, field)
