"""`manage.py restore FOLDER`: put a backup into an empty installation."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.backups import restoring
from digits.backups.errors import BackupError
from digits.management.progress import progress


class Command(BaseCommand):
    help = (
        "Put a backup into this installation, which must have an empty database. The backup is"
        " checked first; one of an earlier release is migrated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *, folder: Path, **_: Any) -> None:
        os.umask(0o077)
        try:
            restored = restoring.restore(folder, progress)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"restored the backup of {restored.made_at}: {restored.files:,} files,"
            f" active version {restored.active_version}"
        )
        left = len(restored.deleted)
        if left:
            self.stdout.write(
                f"{left} files were deleted while it was made; their rows are gone, too"
            )
