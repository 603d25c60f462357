"""TrainingRun: one retraining, from the request to the new version."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, Value, When
from django.urls import reverse
from django.utils import timezone

from digits.queue.leases import Leased


class RunStatus(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


RUN_UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


class Origin(models.TextChoices):
    ADMIN = "admin", "a person"
    COMMAND = "command", "a command"
    AUTOMATIC = "automatic", "new corrections"


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def unfinished(self) -> Self:
        return self.filter(status__in=RUN_UNFINISHED)


class TrainingRun(Leased):
    """Its row is the queue: see digits.learning.runs. At most one is unfinished."""

    when_claimed: ClassVar = {"status": RunStatus.RUNNING}
    when_free: ClassVar = {"status": RunStatus.QUEUED}

    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    origin = models.CharField(
        "asked for by", max_length=10, choices=Origin.choices, default=Origin.ADMIN
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    settings = models.JSONField(default=dict, help_text="as worker.training.recipes.Recipe")
    from_scratch = models.BooleanField(default=False)
    activate_if_better = models.BooleanField(default=True)
    forced = models.BooleanField(default=False, help_text="train although nothing is new")

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    epoch = models.PositiveIntegerField(default=0, help_text="finished epochs")
    epochs = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0, help_text="of the running epoch")
    steps = models.PositiveIntegerField(default=0)
    curves = models.JSONField(default=list, blank=True, help_text="figures of each finished epoch")
    data = models.JSONField(default=dict, blank=True, help_text="what it learns from")
    data_until = models.DateTimeField(
        null=True, blank=True, help_text="corrections up to then are in its data"
    )

    base = models.ForeignKey(
        "ModelVersion", models.SET_NULL, null=True, blank=True, related_name="runs_from"
    )
    version = models.OneToOneField(
        "ModelVersion", models.SET_NULL, null=True, blank=True, related_name="run"
    )
    outcome = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=500, blank=True)
    error_detail = models.TextField(blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "training run"
        permissions = [("retrain", "Can start and cancel trainings")]
        constraints = [
            models.UniqueConstraint(
                Case(When(status__in=RUN_UNFINISHED, then=Value(1))),
                name="one_unfinished_training_run",
            )
        ]
        indexes = [
            # What was learned up to when, for "new corrections".
            models.Index(
                fields=["-data_until"], condition=Q(status=RunStatus.DONE), name="run_data_until"
            )
        ]

    def __str__(self) -> str:
        return f"training run {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("training-run", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        return self.status not in RUN_UNFINISHED

    @property
    def share_done(self) -> float:
        """The share of the epochs that is done, from 0 to 1."""
        inside = self.step / self.steps if self.steps and self.epoch < self.epochs else 0
        return (self.epoch + inside) / max(1, self.epochs)

    @property
    def time_left(self) -> timedelta | None:
        """The estimated time for the remaining epochs; None before it can be estimated."""
        here = [one["at"] for one in self.curves if "at" in one][-2:]
        if len(here) < 2 or self.epoch >= self.epochs:
            return None
        epoch_time = timedelta(seconds=here[1] - here[0])
        return epoch_time * self.epochs * (1 - self.share_done)

    @property
    def seen(self) -> datetime | None:
        """When the trainer last renewed the lease; None without a lease."""
        lease = timedelta(seconds=settings.LEASE_SECONDS)
        return self.lease_expires_at and self.lease_expires_at - lease


class UsedCorrections(models.Model):
    """The corrections that a run learned from and judged by: see digits.learning.used."""

    run = models.OneToOneField(TrainingRun, models.CASCADE, primary_key=True, related_name="used")
    keys = models.BinaryField(help_text="their primary keys, compressed")
    people = models.JSONField(default=dict, help_text="how many each person made")
    withdrawn = models.JSONField(default=list, help_text="of these people, who were withdrawn")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"corrections of {self.run}"

    @property
    def withdrawn_count(self) -> int:
        return sum(self.people[person] for person in self.withdrawn)


class TrainingEvent(models.Model):
    """A line of a run's log."""

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="events")
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text
