"""Restoring: a backup goes into an installation that has nothing yet."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from digits.backups import contents, databases
from digits.backups.errors import BackupError
from worker.reading.bundle import file_sha256


def restore(folder: Path, progress: contents.Progress = contents.unseen) -> contents.Manifest:
    """Put a backup's database and files into the empty places of this installation.

    Files come first and the database last, so that one that is cut off can be begun again.

    Args:
        folder: the backup.
        progress: shows how many of the files are done.

    Raises:
        BackupError: it is not a whole backup of a kind that fits here, or this installation is not
            empty. Nothing that was there is changed.
    """
    manifest = contents.Manifest.read(folder)
    sums = contents.sums_of(folder)
    _check(folder, manifest, sums)
    try:
        _put_files(folder, sums, progress)
        if contents.KEY in sums and not os.environ.get("SECRET_KEY"):
            _put_key(folder / contents.KEY)
        databases.load(folder / manifest.database)
    except OSError as error:
        raise BackupError(f"the backup cannot be restored: {error}") from error
    call_command("migrate", interactive=False, verbosity=0)
    _leave_out(manifest)
    return manifest


def _check(folder: Path, manifest: contents.Manifest, sums: Mapping[str, str]) -> None:
    """Raise BackupError unless the backup is whole, and fits into this installation."""
    if manifest.vendor != connection.vendor:
        raise BackupError(
            f"the backup is of {manifest.vendor}, and this installation has {connection.vendor}:"
            " set DATABASE_URL to a database of the same kind"
        )
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    if unknown := sorted(set(manifest.migrations) - known):
        raise BackupError(
            f"the backup is of a later release ({manifest.digits}), with {', '.join(unknown)}:"
            " restore it with that one"
        )
    if not databases.is_empty():
        raise BackupError(
            "the database is not empty: restore into a new DATA_DIR, or a new database"
        )
    if manifest.database not in sums:
        raise BackupError(f"{folder / contents.SUMS} does not name {manifest.database}")
    for place, sha256 in sums.items():
        _check_file(folder, place, sha256)


def _check_file(folder: Path, place: str, sha256: str) -> None:
    path = folder / place
    if ".." in Path(place).parts or Path(place).is_absolute():
        raise BackupError(f"{folder / contents.SUMS} names a file outside of the backup: {place}")
    try:
        found = file_sha256(path)
    except OSError as error:
        raise BackupError(f"a file of the backup cannot be read: {error}") from error
    if found != sha256:
        raise BackupError(f"{path} is damaged: it does not have the SHA-256 of {contents.SUMS}")


def _put_files(folder: Path, sums: Mapping[str, str], progress: contents.Progress) -> None:
    begin = f"{contents.MEDIA}/"
    places = [place for place in sums if place.startswith(begin)]
    with progress("Restoring", len(places)) as advance:
        for place in places:
            _put_file(folder / place, place.removeprefix(begin))
            advance(1)


def _put_file(path: Path, name: str) -> None:
    storage = storages["files"]
    if storage.exists(name):
        if storage.size(name) == path.stat().st_size:
            return  # an earlier try put it there
        storage.delete(name)  # that try was cut off: no row names it yet
    with path.open("rb") as file:
        saved = storage.save(name, File(file))
    if saved != name:
        raise BackupError(f"the storage took {name} as {saved}")


def _put_key(path: Path) -> None:
    """Put the signing key in the place of the one that was made at this start."""
    place: Path = settings.DATA_DIR / contents.KEY
    draft = place.with_name(f"{place.name}.restored")
    shutil.copyfile(path, draft)
    draft.chmod(0o600)
    draft.replace(place)


def _leave_out(manifest: contents.Manifest) -> None:
    """Delete the rows whose files were deleted while the backup was made, as they were there."""
    for label, pk, name in manifest.deleted:
        model = apps.get_model(label)
        row = model._base_manager.filter(pk=pk).first()
        if row is None:  # it went with another
            continue
        if model._meta.get_field(name).blank:
            setattr(row, name, "")
            row.save(update_fields=[name])
        else:
            row.delete()
