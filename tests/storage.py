"""Storages that behave as others do: on a disk that is full, and far away."""

import errno
import os
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from digits.models import SmallFile


def stored_files() -> list[str]:
    """The names of all stored files: the small ones in the database, and those in the folder."""
    folder = Path(settings.MEDIA_ROOT)
    large = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return [*(str(row) for row in SmallFile.objects.all()), *large]


class FullStorage(FileSystemStorage):
    """Reads as ever, and has no room for another file."""

    def _save(self, name, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


class BrokenStorage(FileSystemStorage):
    """Reads as ever, and has a defect when it is to write."""

    def _save(self, name, content):
        raise RuntimeError(f"an error in the storage of {name}")


class RemoteStorage(Storage):
    """Its files have no local paths, as those of an object storage."""

    files: ClassVar[dict[str, bytes]] = {}

    def _open(self, name, mode="rb"):
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return ContentFile(self.files[name], name)

    def _save(self, name, content):
        self.files[name] = content.read()
        return name

    def exists(self, name):
        return name in self.files

    def delete(self, name):
        self.files.pop(name, None)
