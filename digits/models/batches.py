"""Batch: one bulk job. Its parts are rows that are not read yet; its items are the readings."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from digits.models.owned import OwnedQuerySet
from digits.models.uploads import LONGEST_READING, Source, cautions_field, dated_path
from digits.models.usage import Charged
from digits.queue import clock
from digits.queue.leases import Leased
from worker.files import plans


class BatchStatus(models.TextChoices):
    HELD = "held", "to be confirmed"
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


AT_ONCE = 2000
BATCH_UNFINISHED = (BatchStatus.QUEUED, BatchStatus.RUNNING)
BATCH_OPEN = (BatchStatus.HELD, *BATCH_UNFINISHED)  # also those that wait for a person's word


def batch_path(batch: "Batch", filename: str) -> str:
    return dated_path("batches")


class BatchQuerySet(OwnedQuerySet["Batch"]):
    def unfinished(self) -> Self:
        return self.filter(status__in=BATCH_UNFINISHED)


class Batch(Charged):
    """One file of many images. Its row is the truth: see digits.batches.parts."""

    class Kind(models.TextChoices):
        CSV = plans.CSV, "CSV"
        IDX = plans.IDX, "IDX"
        ZIP = plans.ZIP, "ZIP of images"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    visitor = models.CharField("browser session", max_length=32, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.FILE)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField("file name", max_length=200, blank=True)
    file = models.FileField(upload_to=batch_path, max_length=200)
    labels = models.FileField(
        "file of labels", upload_to=batch_path, max_length=200, blank=True, help_text="of IDX"
    )
    labelled = models.BooleanField(default=False, help_text="its rows tell their true digits")
    layout = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text="how its rows are read; empty: as before 0.3.0",
    )

    status = models.CharField(
        max_length=10, choices=BatchStatus.choices, default=BatchStatus.QUEUED
    )
    total = models.PositiveIntegerField(help_text="rows or images")
    done = models.PositiveIntegerField(default=0, help_text="of them, the bad ones counted")
    bad = models.PositiveIntegerField(default=0, help_text="that could not be read")
    right = models.PositiveIntegerField(default=0, help_text="whose answer is their true digit")
    unlabelled = models.PositiveIntegerField(
        default=0, db_default=0, help_text="that were read, and have no label where others have"
    )
    confusion = models.JSONField(
        default=list, blank=True, help_text="a row for each true digit, a column for what was read"
    )
    version = models.ForeignKey(
        "ModelVersion", models.PROTECT, null=True, blank=True, related_name="batches"
    )
    error = models.CharField(max_length=500, blank=True)
    error_detail = models.TextField(blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        indexes = [
            # The list of an account, of a browser session, and what is unfinished.
            models.Index(fields=["user", "-id"], name="batch_of_user"),
            models.Index(fields=["visitor", "-id"], name="batch_of_visitor"),
            models.Index(
                fields=["id"], condition=Q(status__in=BATCH_UNFINISHED), name="batch_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("batch", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.status not in BATCH_OPEN

    @property
    def share_done(self) -> float:
        return self.done / max(1, self.total)

    @property
    def read(self) -> int:
        """The number of rows that were read without an error."""
        return self.done - self.bad

    @property
    def wrong(self) -> int:
        return self.judged - self.right

    @property
    def judged(self) -> int:
        """The number of rows that were read and have a label, in a batch with labels."""
        return self.read - self.unlabelled

    @property
    def assumptions(self) -> list[str]:
        """What was assumed about its file, in sentences."""
        return list(self.layout.get("assumptions", ()))

    @property
    def accuracy(self) -> float | None:
        """The share of readings that are right; None for batches without labels."""
        return self.right / self.judged if self.labelled and self.judged else None

    @property
    def ran(self) -> timedelta | None:
        """How long the batch has run or ran; None before it started."""
        if self.started_at is None:
            return None
        return (self.finished_at or clock.now()) - self.started_at

    def items_in_order(self) -> Iterator["BatchItem"]:
        """Yield the items in order, AT_ONCE per query, so that no query stays open."""
        last = 0
        while some := list(self.items.filter(number__gt=last).order_by("number")[:AT_ONCE]):
            yield from some
            last = some[-1].number

    @property
    def rows_a_second(self) -> float | None:
        return self.done / self.ran.total_seconds() if self.done and self.ran else None

    @property
    def time_left(self) -> timedelta | None:
        """The estimated time for the rest; None before it can be estimated."""
        if self.is_finished or not self.rows_a_second:
            return None
        return timedelta(seconds=(self.total - self.done) / self.rows_a_second)


class BatchPart(Leased):
    """Rows of a batch that are not read yet, as worker.files.plans.Part; deleted when they are."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="parts")
    first = models.PositiveIntegerField(help_text="the number of its first row, from 1")
    rows = models.PositiveIntegerField()
    offset = models.PositiveBigIntegerField(default=0, help_text="in bytes; of CSV")
    size = models.PositiveBigIntegerField(default=0, help_text="in bytes; of CSV")

    class Meta:
        ordering = ["first", "batch"]
        constraints = [models.UniqueConstraint(fields=["batch", "first"], name="one_part_a_place")]
        indexes = [
            # What to claim next: batches take turns, and one that has just come is first.
            models.Index(fields=["first", "batch"], name="part_to_claim")
        ]

    def __str__(self) -> str:
        return f"rows {self.first} to {self.first + self.rows - 1} of batch {self.batch_id}"


class BatchItem(models.Model):
    """The reading of one row or image of a batch, as worker.files.part_reading.Item."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="items", db_index=False)
    number = models.PositiveIntegerField(help_text="its place in the file, from 1")
    name = models.CharField(max_length=500, blank=True)
    reading = models.CharField(max_length=LONGEST_READING, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    probabilities = models.JSONField(null=True, blank=True, help_text="of 0 to 9")
    cautions = cautions_field("as those of an upload")
    truth = models.CharField("true label", max_length=10, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="one_item_a_number")
        ]
        indexes = [
            # What could not be read, for the batch's page.
            models.Index(
                fields=["batch", "number"], condition=~Q(error=""), name="item_that_is_bad"
            )
        ]

    def __str__(self) -> str:
        return f"row {self.number} of batch {self.batch_id}"
