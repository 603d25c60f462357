"""Backups: a copy of the database and of all files that it names, while the site goes on."""

import os
import shutil
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.core.files.storage import storages
from django.utils import timezone

from digits.audit.trail import record
from digits.backups import contents, databases, stored
from digits.backups.errors import BackupError
from digits.backups.stored import Named
from digits.files import SMALL_NAME
from digits.models.audit import Act
from worker.reading.bundle import file_sha256

CHUNK = 1024 * 1024  # bytes
ACTIVE_VERSION = "SELECT number FROM digits_modelversion WHERE is_active"


def make(
    folder: Path, previous: Path | None = None, progress: contents.Progress = contents.unseen
) -> contents.Manifest:
    """Write a backup into a new folder.

    The database is copied first. A file that it names and that is then missing was deleted
    meanwhile, with its row, or is gone from the storage; the manifest says which.

    Args:
        folder: which is made; it may be there already if it is empty.
        previous: a backup on the same file system, whose files are linked and not copied again.
        progress: shows how many of the files are done.

    Raises:
        BackupError: it cannot be made. The folder has no manifest then.
    """
    known = contents.sums_of(previous) if previous and contents.Manifest.read(previous) else {}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BackupError(f"{folder} is not empty: name a new folder for each backup")
        record(Act.EXPORTED, "backup", f"to {folder}")
        with (folder / contents.SUMS).open("w") as sums:
            return _Making(folder, previous, known, sums).make(progress)
    except OSError as error:
        raise BackupError(f"the backup cannot be written: {error}") from error


class _Making:
    """A backup that is being made."""

    def __init__(
        self, folder: Path, previous: Path | None, known: Mapping[str, str], sums: TextIO
    ) -> None:
        self._folder, self._previous, self._known, self._sums = folder, previous, known, sums
        self._size = 0

    def make(self, progress: contents.Progress) -> contents.Manifest:
        database = databases.file_name()
        with databases.copied(self._folder / database) as cursor:
            named = {
                name: row
                for name, row in stored.files_of_rows(cursor)
                if not SMALL_NAME.fullmatch(name)
            }
            cursor.execute(ACTIVE_VERSION)
            active = cursor.fetchone()
        self._add(database)
        if not os.environ.get("SECRET_KEY"):
            shutil.copyfile(settings.DATA_DIR / contents.KEY, self._folder / contents.KEY)
            self._add(contents.KEY)
        missing = []
        with progress("Copying", len(named)) as advance:
            for name, row in sorted(named.items(), key=itemgetter(0)):
                if not self._store(name):
                    missing.append((name, row))
                advance(1)
        deleted = [(name, row) for name, row in missing if not _still_names(row, name)]
        self._sums.flush()
        os.sync()
        manifest = contents.Manifest(
            made_at=timezone.now().isoformat(timespec="seconds"),
            database=database,
            files=len(named) - len(missing),
            size=self._size,
            active_version=active[0] if active else None,
            deleted=[(row.model._meta.label, row.pk, row.field.name) for _, row in deleted],
            gone=[f"{row}: {name}" for name, row in missing if (name, row) not in deleted],
        )
        manifest.write(self._folder)
        return manifest

    def _store(self, name: str) -> bool:
        """Copy a file, or link it; return whether there is one."""
        place = f"{contents.MEDIA}/{name}"
        path = self._folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._previous and place in self._known:
            try:
                os.link(self._previous / place, path)
            except OSError:  # another file system, or it is not there
                pass
            else:
                self._note(place, self._known[place])
                return True
        try:
            with storages["files"].open(name) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
        except FileNotFoundError:
            path.unlink(missing_ok=True)
            return False
        self._add(place)
        return True

    def _add(self, place: str) -> None:
        self._note(place, file_sha256(self._folder / place))

    def _note(self, place: str, sha256: str) -> None:
        self._sums.write(contents.line_of(sha256, place))
        self._size += (self._folder / place).stat().st_size


def _still_names(row: Named, name: str) -> bool:
    return row.model._base_manager.filter(pk=row.pk, **{row.field.name: name}).exists()
