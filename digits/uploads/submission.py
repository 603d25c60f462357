"""The submission of uploads: they are stored and queued.

Requests that come at the same time share a transaction, and so one wait for the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction

from digits import files
from digits.accounts.owners import Owner
from digits.models import Upload
from digits.models.uploads import Source, upload_path
from digits.queue import statements, wake_ups
from digits.uploads.queue import TASK


@dataclass(eq=False)
class _Sent:
    """An upload that is to be stored.

    content: that of a small file, which is stored with the row; None where it lies on the disk.
    error: why it could not be stored.
    """

    upload: Upload
    content: bytes | None = None
    is_over: bool = False
    error: BaseException | None = None


_waiting: list[_Sent] = []
_together = threading.Lock()


def submit(file: UploadedFile[bytes], owner: Owner, source: str = Source.FILE) -> Upload:
    """Store a checked file and its row, and wake the workers.

    When it returns, both are on the disk. Within a transaction they are when that is committed.
    """
    name = file.name or ""
    sent = _Sent(Upload(name=name[-200:], source=source, **owner.fields()))
    if files.is_small(file.size):
        sent.content = file.read()
        _commit(sent)
        return sent.upload
    sent.upload.file.save(name, file, save=False)
    try:
        _commit(sent)
    except BaseException:
        sent.upload.file.storage.delete(sent.upload.file.name or "")
        raise
    return sent.upload


def _commit(sent: _Sent) -> None:
    """Store an upload together with those of other threads that wait for the same."""
    if connection.in_atomic_block:
        _store([sent])
        return
    _waiting.append(sent)
    with _together:
        if not sent.is_over:  # else another thread has stored it
            group = _waiting[:]
            del _waiting[: len(group)]
            _store_each(group)
    if sent.error:
        raise sent.error


def _store_each(group: list[_Sent]) -> None:
    """Store a group in one transaction; if that fails, each alone, so that none fails others."""
    try:
        _store(group)
    except Exception as error:
        if len(group) == 1:
            group[0].error = error
        else:
            for one in group:
                _store_each([one])
    for one in group:
        one.is_over = True


def _store(group: Sequence[_Sent]) -> None:
    for one in group:
        one.upload.pk = None  # of a try that was rolled back
    rows = statements.Insert([one.upload for one in group], late=["file"])
    with transaction.atomic():
        small = [one for one in group if one.content is not None]
        if small:
            assert isinstance(default_storage, files.Files), "only this storage has small files"
            names = default_storage.save_all(
                [(upload_path(one.upload, one.upload.name), one.content or b"") for one in small]
            )
            for one, name in zip(small, names, strict=True):
                one.upload.file.name = name
        rows.store()
        wake_ups.send_after_commit(TASK)
