"""The submission of uploads: they are stored and queued."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from digits.accounts.owners import Owner
from digits.models import Upload
from digits.models.uploads import Source
from digits.queue import wake_ups
from digits.uploads.queue import TASK


def submit(file: UploadedFile[bytes], owner: Owner, source: str = Source.FILE) -> Upload:
    """Store a checked file and its row in one transaction, and wake the workers."""
    name = file.name or ""
    upload = Upload(name=name[-200:], source=source, **owner.fields())
    try:
        with transaction.atomic():
            upload.file.save(name, file, save=False)
            upload.save()
            wake_ups.send_after_commit(TASK)
    except BaseException:
        if upload.file.name:
            upload.file.storage.delete(upload.file.name)
        raise
    return upload
