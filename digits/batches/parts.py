"""Bulk jobs: their parts are claimed under leases, their items saved, and the jobs ended.

As with uploads (digits.uploads.queue), the rows are the truth, and everything may happen twice: a
part is a row until it is read, and is deleted in the transaction that saves its items.
A worker that lost the lease finds no such row, and saves nothing.
"""

import logging
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, QuerySet

from digits.files import as_binary
from digits.models import Batch, BatchItem, BatchPart
from digits.models.batches import BATCH_OPEN, BatchStatus
from digits.models.corrections import NOT_A_DIGIT
from digits.models.uploads import LONGEST_READING
from digits.queue import clock, leases, statements, wake_ups
from worker.files.archives import Limits as ArchiveLimits
from worker.files.layouts import Layout
from worker.files.plans import ZIP, Limits

if TYPE_CHECKING:
    from worker.files.part_reading import Item

logger = logging.getLogger(__name__)
TASK = "digits.read_batches"
PAUSE_SECONDS = 10  # before what went wrong is tried again


def limits() -> Limits:
    """Return the limits of a batch, from the settings."""
    return Limits(
        rows=settings.MAX_BATCH_ROWS,
        archive=ArchiveLimits(
            files=settings.MAX_BATCH_FILES,
            file_bytes=settings.MAX_UPLOAD_BYTES,
            total_bytes=settings.MAX_BATCH_UNPACKED_BYTES,
            ratio=settings.MAX_BATCH_RATIO,
        ),
    )


def waiting() -> QuerySet[BatchPart]:
    """Return the parts that may be claimed; those of a job to be confirmed are not."""
    return BatchPart.objects.filter(lease__isnull=True).exclude(batch__status=BatchStatus.HELD)


def claim() -> BatchPart | None:
    """Claim one part under a new lease; return None if none is waiting."""
    with transaction.atomic():
        rows = waiting().order_by("first", "batch")
        part = next(iter(leases.claim(rows, related=("batch__version",))), None)
        if part is None:
            return None
        queued = Batch.objects.filter(pk=part.batch_id, status=BatchStatus.QUEUED)
        if queued.update(status=BatchStatus.RUNNING, started_at=clock.now()):
            part.batch.refresh_from_db(fields=["status", "started_at"])
    return part


def confirm(batch: Batch) -> bool:
    """Let a job that waits for a person's word be read. Return False if it does not wait."""
    held = Batch.objects.filter(pk=batch.pk, status=BatchStatus.HELD)
    with transaction.atomic():
        confirmed = held.update(status=BatchStatus.QUEUED)
        if confirmed:
            wake_ups.send_after_commit(TASK)
    return confirmed == 1


def cancel(batch: Batch) -> bool:
    """Cancel an unfinished batch, and keep its items. Return False if it had ended already."""
    return finish(batch, BatchStatus.CANCELLED)


def sweep() -> None:
    """Give up parts that were tried too often, and wake the workers if others are waiting."""
    reason = f"The worker stopped {settings.MAX_ATTEMPTS} times while reading it."
    leases.sweep(BatchPart.objects.select_related("batch"), lambda part: give_up(part, reason))
    for batch in Batch.objects.unfinished().filter(parts=None):
        _finish_if_all_is_read(batch.pk)
    if waiting().exists():
        wake_ups.send(TASK, force=True)


def confusion(batch: Batch) -> list[list[int]]:
    """Return the confusion matrix of a labelled batch: rows are the truth, columns the readings.

    The last row and column are "not a digit", and the column also several digits in an image.
    """
    counts = [[0] * (NOT_A_DIGIT + 1) for _ in range(NOT_A_DIGIT + 1)]
    labelled = batch.items.filter(error="").exclude(truth="").order_by()
    for truth, reading, count in labelled.values_list("truth", "reading").annotate(Count("pk")):
        column = int(reading) if len(reading) == 1 and reading.isdigit() else NOT_A_DIGIT
        counts[int(truth)][column] += count
    return counts


def save(part: BatchPart, items: list["Item"]) -> bool:
    """Save a part's items and delete it, in one transaction. Return False if its lease was lost."""
    from worker.files.results import label_of

    batch = part.batch
    rows = statements.Insert(
        [
            BatchItem(
                batch_id=batch.pk,
                number=item.number,
                name=item.name[-500:],
                reading=item.reading[:LONGEST_READING],
                confidence=item.confidence,
                probabilities=item.probabilities,
                cautions=item.cautions,
                truth=item.truth,
                error=item.error[:500],
            )
            for item in items
        ]
    )
    unlabelled = sum(batch.labelled and not one.truth and not one.error for one in items)
    right = sum(bool(one.truth) and label_of(one, batch.kind) == one.truth for one in items)
    with transaction.atomic():
        if not leases.held(part).delete()[0]:
            return False
        rows.store()
        Batch.objects.filter(pk=batch.pk).update(
            done=F("done") + len(items),
            bad=F("bad") + sum(bool(item.error) for item in items),
            right=F("right") + right,
            unlabelled=F("unlabelled") + unlabelled,
        )
        _finish_if_all_is_read(batch.pk)
    return True


def _finish_if_all_is_read(pk: int) -> None:
    batch = Batch.objects.filter(pk=pk).first()
    if batch and not batch.parts.exists():
        finish(batch, BatchStatus.DONE, confusion=confusion(batch) if batch.labelled else [])


def finish(batch: Batch, status: str, **fields: Any) -> bool:
    """End an unfinished batch, and delete its remaining parts.

    `finished` is called after the commit.

    Returns:
        False if it had ended already.
    """
    with transaction.atomic():
        # Parts before their batch, as everywhere: so nobody waits for each other.
        BatchPart.objects.filter(batch=batch.pk).delete()
        ended = Batch.objects.filter(pk=batch.pk, status__in=BATCH_OPEN).update(
            status=status, finished_at=clock.now(), **fields
        )
        if ended:
            transaction.on_commit(partial(finished, batch.pk), robust=True)
    return ended == 1


def finished(pk: int) -> None:
    """Do what is to happen when a batch has ended as done, failed or cancelled."""
    batch = Batch.objects.filter(pk=pk).first()
    if batch:
        logger.info(
            "%s is %s: %d of %d rows, %d of them bad",
            batch,
            batch.status,
            batch.done,
            batch.total,
            batch.bad,
        )


def fail(batch: Batch, reason: str, error: Exception) -> None:
    detail = "".join(traceback.format_exception(error))
    if finish(batch, BatchStatus.FAILED, error=reason[:500], error_detail=detail):
        logger.error("%s failed: %s", batch, reason)


def retry_later(part: BatchPart, *, count_attempt: bool = True) -> None:
    """Release a claimed part after a while."""
    leases.release(part, after=PAUSE_SECONDS, count_attempt=count_attempt)


def give_up(part: BatchPart, reason: str) -> None:
    """Save the rows of a part as bad; the rest of its batch continues."""
    from worker.files.part_reading import Item

    names = _names(part)
    save(
        part,
        [
            Item(number, names.get(number, ""), error=reason)
            for number in range(part.first, part.first + part.rows)
        ],
    )


def _names(part: BatchPart) -> dict[int, str]:
    """Return the names of a part's images; none if the archive cannot be opened."""
    from worker.files import archives

    if part.batch.kind != ZIP:
        return {}
    try:
        with part.batch.file.open("rb") as file:
            archive = archives.open_archive(as_binary(file), limits().archive)
            litter = Layout.from_json(part.batch.layout, part.batch.labelled).litter
            entries = archives.images(archive, litter=litter)
            names = archives.names(archive)
    except (OSError, archives.ArchiveError):
        return {}
    return {number: names[entry] for number, entry in enumerate(entries, 1)}
