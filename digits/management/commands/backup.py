"""`manage.py backup FOLDER`: database, files and models, while the site goes on."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from digits.backups import making
from digits.backups.errors import BackupError
from digits.management.progress import progress


class Command(BaseCommand):
    help = (
        "Write a backup of the database, the stored files, the models and the signing key into a"
        " new folder, while the site goes on. `manage.py restore` puts it into an empty"
        " installation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--previous",
            type=Path,
            metavar="FOLDER",
            help="an earlier backup on the same disk: files that it has are linked, not copied",
        )

    def handle(self, *, folder: Path, previous: Path | None, **_: Any) -> None:
        os.umask(0o077)  # it is as private as the site
        try:
            made = making.make(folder, previous, progress)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{folder}: database and {made.files:,} files, {filesizeformat(made.size)};"
            f" active version {made.active_version}"
        )
        for gone in made.gone:
            self.stderr.write(f"not in the backup, since it is gone from the storage: {gone}")
