"""What a backup consists of: a folder with a manifest, checksums, a database and files."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from digits import __version__
from digits.backups.errors import BackupError

FORMAT = 1
MANIFEST, SUMS, MEDIA, KEY = "backup.json", "SHA256SUMS", "media", "secret_key"
APPS = ("digits",)  # whose migrations tell whether this release knows the database
# Shows the progress towards a total: its text and total give a function that takes each advance.
Progress = Callable[[str, int], AbstractContextManager[Callable[[float], None]]]


def _applied_migrations() -> list[str]:
    """Return the names of the app's migrations that this database has."""
    found = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in found if app in APPS)


@dataclass(frozen=True)
class Manifest:
    """What is said of a backup. It is written last: a folder without one is no backup."""

    made_at: str
    database: str
    files: int
    size: int
    active_version: int | None
    # Rows whose file was deleted after the database was copied: [model, primary key, field].
    deleted: list[tuple[str, int, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    format: int = FORMAT
    digits: str = __version__
    vendor: str = field(default_factory=lambda: connection.vendor)
    migrations: list[str] = field(default_factory=_applied_migrations)

    def write(self, folder: Path) -> None:
        """Write it whole, under another name first."""
        draft = folder / f"{MANIFEST}.draft"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(folder / MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup.

        Raises:
            BackupError: there is none that this release understands.
        """
        try:
            words = json.loads((folder / MANIFEST).read_text())
        except FileNotFoundError as error:
            why = f"{folder} is no backup, or one that was not finished: it has no {MANIFEST}"
            raise BackupError(why) from error
        except (OSError, ValueError) as error:
            raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from error
        if not isinstance(words, dict) or words.get("format") != FORMAT:
            raise BackupError(f"{folder / MANIFEST} is of a format that this release does not know")
        try:
            return cls(**words)
        except TypeError as error:
            raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from error


def sums_of(folder: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each file of a backup, by its path in the folder.

    Raises:
        BackupError: they cannot be read.
    """
    return dict(_lines(folder / SUMS))


def line_of(sha256: str, path: str) -> str:
    """Return a line as sha256sum writes and checks it."""
    return f"{sha256}  {path}\n"


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} cannot be read: {error}") from error
    for line in lines:
        sha256, found, name = line.partition("  ")
        if not found or len(sha256) != 64:
            raise BackupError(f"{path} has a line that is none of sha256sum: {line[:80]}")
        yield name, sha256


@contextmanager
def unseen(text: str, total: int) -> Iterator[Callable[[float], None]]:
    """Show no progress."""
    yield lambda count: None
