"""The submission of bulk jobs: files are recognised, checked, stored and divided into parts."""

from __future__ import annotations

import os
import tempfile
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models.fields.files import FieldFile
from django.template.defaultfilters import filesizeformat

from digits import files as stored_files
from digits import quotas
from digits.batches import parts
from digits.files import as_binary
from digits.models import Batch, BatchPart
from digits.models.batches import BatchStatus
from digits.models.uploads import Source
from digits.queue import wake_ups
from digits.quotas import NotTaken
from digits.shortages import check_disk
from worker.files import plans
from worker.files.layouts import Wishes
from worker.files.plans import BulkError
from worker.files.wrappings import Unwrapped
from worker.images import metadata
from worker.images.decoding import read_header
from worker.images.errors import ImageError

if TYPE_CHECKING:
    from digits.accounts.owners import Owner

IMAGE = "image"
PARTS_AT_ONCE = 500
SNIFFED = 32  # bytes


class Prepared(stored_files.Prepared[Batch]):
    """A bulk job that is to be stored: its files are checked, planned and on the disk."""

    def __init__(
        self,
        files: list[UploadedFile[bytes]],
        owner: Owner,
        source: str = Source.FILE,
        labels: UploadedFile[bytes] | None = None,
        wishes: Wishes | None = None,
        *,
        ask: bool = False,
    ) -> None:
        """Prepare a bulk job.

        Args:
            files: the uploaded files: one ZIP, CSV, IDX or NumPy file (packed or not), an IDX file
                and its labels, or images.
            labels: the labels of an IDX file, if they are sent in a field of their own.
            wishes: what the sender says about the layout.
            ask: whether a person confirms what was assumed about the layout before it is read.

        Raises:
            BulkError: files are missing, too large or of another kind, or their layout cannot be
                decided; the message is for the sender.
            NoRoom: the disk is full, but for MIN_FREE_MB.
            NotTaken: the sender's quota is spent.
        """
        self._sender = owner.sender
        check_disk()
        quotas.check(self._sender)
        _check_running(self._sender)
        _check_sizes([*files, *([labels] if labels else [])])
        with ExitStack() as opened:
            inside, label_file = _recognized(files, labels, opened, wishes)
            file = inside.file
            self._plan = plans.plan(inside, label_file, parts.limits(), wishes)
            name = _name(files[0]) if len(files) == 1 or label_file else f"{len(files)} images"
            self._batch = Batch(
                name=name[-200:],
                source=source,
                kind=self._plan.kind,
                labelled=self._plan.labelled,
                layout=self._plan.layout.as_json(),
                status=_first_status(self._plan, ask=ask),
                total=self._plan.total,
                size=sum(one.seek(0, os.SEEK_END) for one in (file, label_file) if one),
                **owner.fields(),
            )
            try:
                _keep(self._batch.file, file)
                if label_file is not None:
                    _keep(self._batch.labels, label_file)
            except BaseException:
                self.discard()
                raise

    def store(self) -> Batch:
        """Store the rows in one transaction, then wake the workers."""
        batch = self._batch
        with transaction.atomic():
            charge = quotas.Charge(sent=batch.total, size=batch.size or 0)
            usage = quotas.charge({self._sender: charge})
            _check_running(self._sender)
            batch.usage_id = usage.get(self._sender)
            batch.save()
            rows = [BatchPart(batch=batch, **vars(part)) for part in self._plan.parts]
            BatchPart.objects.bulk_create(rows, batch_size=PARTS_AT_ONCE)
            if batch.status != BatchStatus.HELD:
                wake_ups.send_after_commit(parts.TASK)
        return batch

    def discard(self) -> None:
        """Delete the files, if the job is not stored."""
        for stored in (self._batch.file, self._batch.labels):
            if stored.name:
                stored.storage.delete(stored.name)


def submit(
    files: list[UploadedFile[bytes]],
    owner: Owner,
    source: str = Source.FILE,
    labels: UploadedFile[bytes] | None = None,
    wishes: Wishes | None = None,
    *,
    ask: bool = False,
) -> Batch:
    """Store a bulk job and wake the workers: see Prepared.

    Raises:
        BulkError: files are missing, too large or of another kind; the message is for the sender.
        NotTaken: the sender's quota is spent.
    """
    return Prepared(files, owner, source, labels, wishes, ask=ask).store_or_discard()


def confirm(batch: Batch) -> bool:
    """Let a job be read that waits for a person's word. Return False if it does not wait.

    Raises:
        NotTaken: its sender has as many jobs under way as may be.
    """
    if batch.usage is not None:
        _check_running(batch.usage.sender)
    return parts.confirm(batch)


def _first_status(plan: plans.Plan, *, ask: bool) -> str:
    """Return the status of a new job: a person is asked about what was assumed."""
    return BatchStatus.HELD if ask and plan.layout.assumptions else BatchStatus.QUEUED


def _check_running(sender: str) -> None:
    """Raise NotTaken where a sender has so many bulk jobs under way that no more are taken."""
    most = quotas.bounds_of(sender)["batches"]
    running = Batch.objects.unfinished().filter(usage__sender=sender)
    if sender and 0 < most <= running.count():
        raise NotTaken(
            f"The limit of bulk jobs under way is reached ({most})."
            " Send the next when one has ended."
        )


def _check_sizes(files: list[UploadedFile[bytes]]) -> None:
    if not files:
        raise BulkError("Choose a file first.")
    if empty := next((file for file in files if not file.size), None):
        raise BulkError(f"The file “{empty.name}” is empty.")
    size = sum(file.size or 0 for file in files)
    if size > settings.MAX_BATCH_BYTES:
        raise BulkError(
            f"That is too large: {filesizeformat(size)}; the limit is"
            f" {filesizeformat(settings.MAX_BATCH_BYTES)}."
        )


def _recognized(
    files: list[UploadedFile[bytes]],
    labels: UploadedFile[bytes] | None,
    opened: ExitStack,
    wishes: Wishes | None,
) -> tuple[Unwrapped, BinaryIO | None]:
    """Return the file of the bulk, and the labels of an IDX file or None."""
    plain = [_plain(file, opened, wishes) for file in files]
    label_file = _plain(labels, opened).file if labels else None
    kinds = [_kind(one.file) for one in plain]
    if label_file is None and len(files) == 2 and sorted(kinds) == [plans.IDX, plans.LABELS]:
        first, second = plain
        return (first, second.file) if kinds[0] == plans.IDX else (second, first.file)
    if len(files) == 1 and kinds != [IMAGE]:
        return plain[0], label_file or plain[0].labels
    for file, kind in zip(files, kinds, strict=True):
        if kind in (plans.ZIP, plans.IDX, plans.LABELS) or _name(file).lower().endswith(".csv"):
            raise BulkError("Send one ZIP, CSV or IDX file at a time, or images only.")
    return Unwrapped(_packed(files, opened)), label_file


def _plain(file: UploadedFile[bytes], opened: ExitStack, wishes: Wishes | None = None) -> Unwrapped:
    """Return a file's content, unpacked and converted."""
    return plans.unwrapped(as_binary(file), file.size or 0, parts.limits(), opened, wishes)


def _name(file: UploadedFile[bytes]) -> str:
    return file.name or ""


def _kind(file: BinaryIO) -> str:
    kind = plans.kind_of(file)
    if kind != plans.CSV:
        return kind
    start = file.read(SNIFFED)
    file.seek(0)
    if start.isascii() and b"\0" not in start:  # text, which no image begins with
        return plans.CSV
    try:
        read_header(file.read(), settings.MAX_PIXELS)
    except ImageError:
        return plans.CSV
    finally:
        file.seek(0)
    return IMAGE


def _packed(files: list[UploadedFile[bytes]], opened: ExitStack) -> BinaryIO:
    """Put files into one ZIP. Those that are not images are reported when they are read."""
    target = opened.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    names: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for number, file in enumerate(files, 1):
            name = f"{number}-{_name(file)}" if _name(file) in names else _name(file)
            names.add(name)
            file.seek(0)
            data = file.read()
            archive.writestr(name, data if settings.KEEP_ORIGINALS else metadata.removed(data))
    return target


def _keep(field: FieldFile, file: BinaryIO) -> None:
    file.seek(0)
    field.save("bulk", file if isinstance(file, File) else File(file), save=False)
