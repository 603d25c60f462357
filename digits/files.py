"""Stored files: where they lie, how they reach the disk, and that they go with their rows."""

import contextlib
import errno
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar, cast

from django.apps import apps
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, default_storage, storages
from django.db import models, transaction

from digits.queue import statements

if TYPE_CHECKING:
    from digits.models import SmallFile

Made = TypeVar("Made", bound=models.Model)
# A drawing has about 5 KB. Below some tens of kilobytes, a database takes less time for a file than
# a file system that has to sync it ("35% Faster Than The Filesystem", sqlite.org); a larger bound
# would let photos and previews swell the database.
SMALL = 8 * 1024
IN_DATABASE = "small/"
SMALL_NAME = re.compile(IN_DATABASE + r"([0-9]{1,18})(\.[^./]*)?")


class Files(Storage):
    """Small files lie in the database, others in the storage "files".

    The name of a small file is small/<primary key of its SmallFile><suffix>.
    """

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        if content.size > SMALL:
            return self._others.save(name, content, max_length=max_length)
        (saved,) = self.save_all([(name or "", content.read())])
        return saved

    def save_all(self, files: Sequence[tuple[str, bytes]]) -> list[str]:
        """Store small files (name, content) by one statement; return the names that they get."""
        rows = [_small_files()(content=content) for _, content in files]
        statements.Insert(rows).store()
        return [
            f"{IN_DATABASE}{row.pk}{PurePath(name).suffix}"
            for row, (name, _) in zip(rows, files, strict=True)
        ]

    def read_all(self, names: Iterable[str]) -> Mapping[str, bytes]:
        """Return the contents of those of the files that are small and exist, by one query."""
        keys = {key: name for name in names if (key := _key(name))}
        found = statements.select(_small_files(), ["id", "content"], "id", list(keys))
        return {keys[key]: bytes(content) for key, content in found}

    @property
    def _others(self) -> Storage:
        return storages["files"]

    def _open(self, name: str, mode: str = "rb") -> Any:
        key = _key(name)
        if key is None:
            return self._others.open(name, mode)
        row = _small_files()._base_manager.filter(pk=key).first()
        if row is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return ContentFile(bytes(row.content), name)

    def delete(self, name: str) -> None:
        key = _key(name)
        if key is None:
            self._others.delete(name)
        else:
            _small_files()._base_manager.filter(pk=key).delete()

    def exists(self, name: str) -> bool:
        key = _key(name)
        if key is None:
            return self._others.exists(name)
        return _small_files()._base_manager.filter(pk=key).exists()

    def size(self, name: str) -> int:
        key = _key(name)
        return self._others.size(name) if key is None else self._open(name).size

    def path(self, name: str) -> str:
        """Return the local path of a file; NotImplementedError for a small one, which has none."""
        return super().path(name) if _key(name) else self._others.path(name)


class SyncedFiles(FileSystemStorage):
    """Files in a folder; one that is saved is on the disk, so that a power cut does not lose it.

    Of one that cannot be saved nothing is left: it would take what is free on a full disk.
    """

    def _save(self, name: str, content: Any) -> str:
        begun = Path(self.path(name))
        was_there = begun.exists()
        try:
            saved: str = super()._save(name, content)  # type: ignore[misc]  # the stubs lack it
            self._sync(Path(self.path(saved)))
        except OSError:
            if not was_there:
                with contextlib.suppress(OSError):  # the disk may take no change at all
                    begun.unlink(missing_ok=True)
            raise
        return saved

    def _sync(self, path: Path) -> None:
        sync(path)
        for folder in path.parents:  # each may be new
            sync(folder)
            if folder == Path(self.location):
                break


class Prepared(ABC, Generic[Made]):
    """What is ready to be stored: its files are on the disk, or small."""

    @abstractmethod
    def store(self) -> Made:
        """Store its rows."""

    @abstractmethod
    def discard(self) -> None:
        """Delete its files, if it is not stored."""

    def store_or_discard(self) -> Made:
        """Store its rows, or delete its files if that fails."""
        try:
            return self.store()
        except BaseException:
            self.discard()
            raise


def sync(path: Path) -> None:
    """Return when a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_small(size: int | None) -> bool:
    """Return whether files of this size lie in the database."""
    return size is not None and size <= SMALL and isinstance(default_storage, Files)


def _key(name: str) -> int | None:
    """Return the primary key in a small file's name; None for other names."""
    found = SMALL_NAME.fullmatch(name)
    return int(found[1]) if found else None


def _small_files() -> "type[SmallFile]":
    return apps.get_model("digits", "SmallFile")


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
