"""`manage.py check_files`: stored files without rows, and rows without files."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.files.storage import Storage, default_storage, storages
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.template.defaultfilters import filesizeformat

from digits.backups.mending import mended
from digits.backups.stored import Named, files_of_rows
from digits.files import SMALL_NAME
from digits.models import SmallFile

SETTLED_SECONDS = 3600  # a file is stored before its row: a younger one may still get it
AT_ONCE = 500


class Command(BaseCommand):
    help = (
        "Look for stored files that no row names, as a process that was killed leaves them, and for"
        " rows whose files are gone. Exit with status 1 if there are any of the latter that were"
        " not mended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--delete", action="store_true", help="delete the files without rows")
        parser.add_argument(
            "--mend",
            action="store_true",
            help="the same, and store again what can be made anew: previews, the model that ships",
        )

    def handle(self, *, delete: bool, mend: bool, **_: Any) -> None:
        delete = delete or mend
        newest = SmallFile.objects.order_by("pk").values_list("pk", flat=True).last() or 0
        with connection.cursor() as cursor:
            named = dict(files_of_rows(cursor))
        small, size = _small_without_rows(named, newest), 0
        orphans = list(_without_rows(named))
        for name in orphans:
            size += storages["files"].size(name)
            if delete:
                storages["files"].delete(name)
        if delete:
            for start in range(0, len(small), AT_ONCE):
                SmallFile.objects.filter(pk__in=small[start : start + AT_ONCE]).delete()
        done = "deleted" if delete else "found; --delete deletes them"
        count = len(orphans) + len(small)
        self.stdout.write(
            f"files without rows: {count} ({filesizeformat(size)} on the disk) {done}"
        )
        gone = {name: row for name, row in named.items() if not default_storage.exists(name)}
        self.stdout.write(f"rows without files: {len(gone)}")
        left = 0
        for name, row in gone.items():
            done = mended(row) if mend else ""
            left += not done
            self.stdout.write(f"{row}: {name}" + (f" ({done})" if done else ""))
        if left:
            raise CommandError(f"{left} files are gone from the storage")


def _without_rows(named: dict[str, Named]) -> Iterator[str]:
    """Yield the names of files in the storage that no row names."""
    settled = time.time() - SETTLED_SECONDS
    for name in _files(storages["files"]):
        modified = storages["files"].get_modified_time(name).timestamp()
        if name not in named and modified < settled:
            yield name


def _files(storage: Storage, folder: str = "") -> Iterator[str]:
    try:
        folders, names = storage.listdir(folder)
    except FileNotFoundError:  # nothing was stored yet, or it was deleted just now
        return
    yield from (f"{folder}{name}" for name in names)
    for inner in folders:
        yield from _files(storage, f"{folder}{inner}/")


def _small_without_rows(named: dict[str, Named], newest: int) -> list[int]:
    """Return the keys of small files, up to one, that no row names."""
    keys = {int(found[1]) for name in named if (found := SMALL_NAME.fullmatch(name))}
    stored = SmallFile.objects.filter(pk__lte=newest).order_by("pk")
    return [key for key in stored.values_list("pk", flat=True).iterator() if key not in keys]
