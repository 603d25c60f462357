"""Rereading: a request that a version reads a finished upload again."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from digits.queue.leases import Leased


class RereadingQuerySet(models.QuerySet["Rereading"]):
    def unfinished(self) -> Self:
        return self.filter(finished_at__isnull=True)


class Rereading(Leased):
    """Its row is the queue: see digits.uploads.rereading."""

    upload = models.ForeignKey("Upload", models.CASCADE, related_name="rereadings")
    version = models.ForeignKey("ModelVersion", models.CASCADE, related_name="rereadings")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    objects = RereadingQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["upload", "version"],
                condition=Q(finished_at__isnull=True),
                name="one_unfinished_rereading",
            )
        ]
        indexes = [
            # What to claim next: the oldest.
            models.Index(
                fields=["id"], condition=Q(finished_at__isnull=True), name="rereading_to_do"
            )
        ]

    def __str__(self) -> str:
        return f"upload {self.upload_id} again with {self.version}"

    @property
    def state(self) -> str:
        """The state in words: waiting, running, done, or the error."""
        if self.finished_at is None:
            return "waiting" if self.lease is None else "running"
        return self.error or "done"
