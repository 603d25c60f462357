"""The five kinds of rows that are worked on under a lease, each by the functions of its room."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet

from digits.batches import parts
from digits.learning import runs
from digits.models import (
    Activation,
    Batch,
    BatchPart,
    ModelVersion,
    Rereading,
    TrainingRun,
    Upload,
)
from digits.models.training import RunStatus
from digits.models.uploads import Status
from digits.queue.leases import Leased
from digits.uploads import queue, rereading
from digits.versions import activations
from worker.files.part_reading import Item
from worker.training.recipes import Recipe

ROWS = 3  # in a part of a batch


@dataclass(frozen=True)
class Kind:
    """How rows of one model are made, claimed, finished and swept.

    unfinished: the rows that are to be worked on, or are being worked on.
    finish: ends a claimed row; False where its lease was lost.
    reason: the error of a row that was given up, else None.
    is_sound: whether what was saved of all rows fits together.
    at_once: how many rows a claim may take.
    newest_first: the newest row is claimed first.
    in_order: only the oldest unfinished row may be claimed.
    alone: at most one row is unfinished.
    """

    name: str
    make: Callable[[], Any]
    claim: Callable[[], list]
    finish: Callable[[Any], bool]
    sweep: Callable[[], object]
    unfinished: Callable[[], QuerySet]
    reason: Callable[[int], str | None]
    is_sound: Callable[[], bool] = lambda: True
    at_once: int = 1
    newest_first: bool = False
    in_order: bool = False
    alone: bool = False

    def __str__(self) -> str:
        return self.name


def _one(row: Leased | None) -> list[Leased]:
    return [row] if row else []


def _free_are_queued(rows: QuerySet) -> bool:
    return all((row.status == "queued") == (row.lease is None) for row in rows)


UPLOADS = Kind(
    "uploads",
    make=lambda: Upload.objects.create(file="uploads/none.png"),
    claim=lambda: queue.claim(3),
    finish=lambda row: queue.finish(row, Status.DONE, reading="7"),
    sweep=queue.sweep,
    unfinished=lambda: Upload.objects.unfinished(),
    reason=lambda pk: Upload.objects.get(pk=pk, status=Status.FAILED).error,
    is_sound=lambda: _free_are_queued(Upload.objects.unfinished()),
    at_once=3,
)


def _make_part() -> BatchPart:
    batch = Batch.objects.create(kind="csv", file="batches/none", total=ROWS)
    return BatchPart.objects.create(batch=batch, first=1, rows=ROWS)


def _batches_are_sound() -> bool:
    """A batch has its rows once and is done, or has none and its part."""
    done = Batch.objects.filter(status="done", done=F("total"), parts=None)
    waiting = Batch.objects.unfinished().filter(done=0, items=None, parts__isnull=False)
    whole = all(batch.items.count() == ROWS for batch in done)
    return whole and done.count() + waiting.count() == Batch.objects.count()


PARTS = Kind(
    "parts of batches",
    make=_make_part,
    claim=lambda: _one(parts.claim()),
    finish=lambda part: parts.save(
        part, [Item(part.first + row, reading="7") for row in range(part.rows)]
    ),
    sweep=parts.sweep,
    unfinished=lambda: BatchPart.objects.all(),
    reason=lambda pk: Batch.objects.filter(bad=ROWS).last().items.first().error,
    is_sound=_batches_are_sound,
    newest_first=True,
)


def _make_rereading() -> Rereading:
    upload = Upload.objects.create(file="uploads/none.png", status=Status.DONE)
    return Rereading.objects.create(upload=upload, version=ModelVersion.active())


REREADINGS = Kind(
    "rereadings",
    make=_make_rereading,
    claim=lambda: rereading.claim(3),
    finish=lambda row: rereading.finish([row]) == 1,
    sweep=rereading.sweep,
    unfinished=lambda: Rereading.objects.unfinished(),
    reason=lambda pk: Rereading.objects.get(pk=pk).error,
    at_once=3,
)
ACTIVATIONS = Kind(
    "activations",
    make=lambda: Activation.objects.create(version=ModelVersion.active()),
    claim=lambda: _one(activations.claim()),
    finish=activations.complete,
    sweep=activations.sweep,
    unfinished=lambda: Activation.objects.filter(status=Activation.Status.QUEUED),
    reason=lambda pk: Activation.objects.get(pk=pk, status=Activation.Status.REFUSED).reason,
    in_order=True,
)
RUNS = Kind(
    "training runs",
    make=lambda: runs.ask(Recipe.fine_tuning()),
    claim=lambda: _one(runs.claim()),
    finish=lambda run: runs.finish(run, RunStatus.DONE, "done"),
    sweep=runs.sweep,
    unfinished=lambda: TrainingRun.objects.unfinished(),
    reason=lambda pk: TrainingRun.objects.get(pk=pk, status=RunStatus.FAILED).error,
    is_sound=lambda: _free_are_queued(TrainingRun.objects.unfinished()),
    alone=True,
)
KINDS = (UPLOADS, PARTS, REREADINGS, ACTIVATIONS, RUNS)
LEASE, TRIES = settings.LEASE_SECONDS, settings.MAX_ATTEMPTS
