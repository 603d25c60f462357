"""What an installation makes: DATA_DIR, and in it its Redis socket and its secret key."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from django.core.management.utils import get_random_secret_key

LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can enter; one that is there already becomes so."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def redis_socket(data_dir: Path) -> Path:
    """Return the Unix socket of the embedded server, which only this user can reach."""
    path = data_dir / "redis.sock"
    if len(bytes(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(bytes(data_dir)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"digits-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; choose a shorter DATA_DIR")
    return folder / "redis.sock"


def secret_key(data_dir: Path) -> str:
    """Return this installation's secret key, which is made on the first start."""
    path = data_dir / "secret_key"
    if not path.exists():
        # Written whole under another name first, so that two processes agree on one key.
        descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix="secret_key.")
        with os.fdopen(descriptor, "w") as file:
            file.write(get_random_secret_key())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text()
