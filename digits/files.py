"""Stored files belong to their rows: when a row goes, so do its files."""

from django.db import models, transaction


def delete_files_of(instance, **_):
    """Delete a deleted row's files once the deletion is committed."""
    for field in instance._meta.fields:
        if isinstance(field, models.FileField):
            file = getattr(instance, field.name)
            if file:
                transaction.on_commit(lambda file=file: file.storage.delete(file.name))
