"""A storage on a disk that is full."""

import errno
import os

from django.core.files.storage import FileSystemStorage


class FullStorage(FileSystemStorage):
    """Reads as ever, and has no room for another file."""

    def _save(self, name, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
