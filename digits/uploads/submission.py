"""The submission of uploads: they are stored and queued.

Requests that come at the same time share a transaction, and so one wait for the disk.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import close_old_connections, connection, transaction

from digits import files, quotas, tracing
from digits.accounts.owners import Owner
from digits.models import Upload
from digits.models.uploads import Source, upload_path
from digits.queue import statements, wake_ups
from digits.shortages import check_disk
from digits.uploads import queue
from worker.images import metadata
from worker.images.decoding import Header

# Pixels. What has fewer takes some 20 ms, so that 32 of them hold up others for half a second.
LARGE = 500_000


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


_large_files = threading.BoundedSemaphore(4)  # each is in memory while it is stored
_waiting: list[_Sent] = []
_together = threading.Lock()
_storing: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()


class Prepared(files.Prepared[Upload]):
    """An upload that is to be stored: a file that is not small is on the disk."""

    def __init__(
        self, file: UploadedFile[bytes], owner: Owner, source: str, degrees: int | None = None
    ) -> None:
        """Prepare a checked file.

        degrees: by how many it is turned to be read, clockwise; None: as it is read best.

        Raises:
            NoRoom: the disk is full, but for MIN_FREE_MB.
            NotTaken: too many uploads are waiting, or the sender's quota is spent.
        """
        check_disk()
        queue.room.check()
        quotas.check(owner.sender)
        self._sent = _received(file, owner, source, degrees)

    def store(self) -> Upload:
        """Store the row, and a small file with it, and wake the workers.

        When it returns, they are on the disk. Within a transaction they are when that is committed.
        """
        _commit(self._sent)
        return self._sent.upload

    def discard(self) -> None:
        """Delete the file, if the upload is not stored."""
        _forget(self._sent)


def submit(
    file: UploadedFile[bytes],
    owner: Owner,
    source: str = Source.FILE,
    degrees: int | None = None,
) -> Upload:
    """Store a checked file and its row, and wake the workers.

    degrees: by how many it is turned to be read, clockwise; None: as it is read best.

    Raises:
        NotTaken: too many uploads are waiting, or the sender's quota is spent.
    """
    return Prepared(file, owner, source, degrees).store_or_discard()


async def submit_async(file: UploadedFile[bytes], owner: Owner, source: str) -> Upload:
    """Store a checked file and its row, as `submit`, without holding a thread."""
    check_disk()
    if not queue.room.is_known:
        await sync_to_async(queue.room.count)()
    queue.room.refuse_if_full()
    quotas.check(owner.sender)
    if files.is_small(file.size):
        sent = _received(file, owner, source)
    else:
        sent = await sync_to_async(_received)(file, owner, source)
    loop = asyncio.get_running_loop()
    _waiting.append(sent)
    while not sent.is_over:  # the group that is being stored may have begun before
        storing = _storing.get(loop)
        if storing is None or storing.done():
            storing = _storing[loop] = asyncio.ensure_future(sync_to_async(_store_waiting)())
        await asyncio.shield(storing)
    if sent.error:
        await sync_to_async(_forget)(sent)
        raise sent.error
    return sent.upload


def _received(
    file: UploadedFile[bytes], owner: Owner, source: str, degrees: int | None = None
) -> _Sent:
    """Return what is to be stored; a file that is not small is on the disk then."""
    name = file.name or ""
    fields = owner.fields()
    header: Header | None = getattr(file, "header", None)  # of the check
    is_large = header is not None and header.width * header.height > LARGE
    fields |= {"sender": owner.sender, "is_large": is_large, "trace": tracing.context()}
    sent = _Sent(Upload(name=name[-200:], source=source, degrees=degrees, **fields))
    if files.is_small(file.size):
        sent.content = _kept_of(file.read())
        sent.upload.size = len(sent.content)
    else:
        with _large_files:
            content = ContentFile(_kept_of(file.read()))
            sent.upload.file.save(name, content, save=False)
            sent.upload.size = content.size
    return sent


def _kept_of(data: bytes) -> bytes:
    """Return what is stored of a file: without metadata, unless KEEP_ORIGINALS is on."""
    return data if settings.KEEP_ORIGINALS else metadata.removed(data)


def _forget(sent: _Sent) -> None:
    """Delete the file of an upload that could not be stored."""
    if sent.content is None:
        sent.upload.file.storage.delete(sent.upload.file.name or "")


def _commit(sent: _Sent) -> None:
    """Store an upload together with those of other threads that wait for the same."""
    if connection.in_atomic_block:
        _store([sent])
        return
    _waiting.append(sent)
    _store_waiting(sent)
    if sent.error:
        raise sent.error


def _store_waiting(sent: _Sent | None = None) -> None:
    """Store all that wait, unless another thread has stored `sent` meanwhile."""
    with _together:
        if sent is not None and sent.is_over:
            return
        if not connection.in_atomic_block:
            close_old_connections()  # before the group is taken: it may fail
        group = _waiting[:]
        del _waiting[: len(group)]
        if group:
            _store_each(group)


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
    rows = statements.Insert([one.upload for one in group], late=["file", "turn", "usage"])
    charges: dict[str, quotas.Charge] = {}
    for one in group:
        charge = quotas.Charge(sent=1, stored=1, size=one.upload.size or 0)
        charges.setdefault(one.upload.sender, quotas.Charge()).add(charge)
    with transaction.atomic():
        usage = quotas.charge(charges)
        for one in group:
            one.upload.usage_id = usage.get(one.upload.sender)
        small = [one for one in group if one.content is not None]
        if small:
            assert isinstance(default_storage, files.Files), "only this storage has small files"  # noqa: S101
            names = default_storage.save_all(
                [(upload_path(one.upload, one.upload.name), one.content or b"") for one in small]
            )
            for one, name in zip(small, names, strict=True):
                one.upload.file.name = name
        queue.give_turns([one.upload for one in group])
        rows.store()
        wake_ups.send_after_commit(queue.TASK)
