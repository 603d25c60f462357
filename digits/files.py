"""Stored files, which are deleted with their rows."""

from functools import partial
from typing import Any, BinaryIO, cast

from django.core.files import File
from django.db import models, transaction


def delete_files_of(instance: models.Model, **_: Any) -> None:
    """Delete a deleted row's files once the deletion is committed."""
    for field in instance._meta.fields:
        if isinstance(field, models.FileField):
            file = getattr(instance, field.name)
            if file:
                transaction.on_commit(partial(file.storage.delete, file.name))


def as_binary(file: "File[bytes]") -> BinaryIO:
    """Return a file of Django's as the file that the standard library and worker know."""
    return cast(BinaryIO, file)  # it reads and seeks as one; only its type is another
