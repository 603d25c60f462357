"""ModelVersion: one trained model; exactly one is active. Activation: a request to activate one."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from digits.queue.leases import Leased
from worker.metrics import Metrics
from worker.reading.bundle import ModelError, file_sha256

# Where metrics have the share of MNIST's test images that is right, the most exact first.
MNIST_ACCURACY = (
    "evaluation__mnist__probable_right",
    "evaluation__mnist__accuracy",
    "report__sets__mnist__accuracy",
)
FETCHED = 4  # files of models that are kept on a machine whose storage is elsewhere
HELD_OUT_ACCURACY = "report__sets__corrections__accuracy"


def model_path(version: "ModelVersion", filename: str) -> str:
    return f"models/{version.number:04d}-{version.sha256[:12]}.keras"


class ModelVersion(models.Model):
    number = models.PositiveIntegerField(unique=True)
    architecture = models.CharField(max_length=50)
    file = models.FileField(upload_to=model_path, max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    metrics = models.JSONField(default=dict, blank=True)
    warning = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="see digits.versions.warnings",
    )
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField("active", default=False)
    withdrawn_corrections = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="of those that it was trained on or judged by, how many are withdrawn",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    prediction_count: str  # set by digits.views.versions.count_predictions

    class Meta:
        ordering = ["-number"]
        verbose_name = "model version"
        permissions = [("activate_modelversion", "Can activate model version")]
        constraints = [
            models.UniqueConstraint(
                fields=["is_active"], condition=Q(is_active=True), name="one_active_version"
            )
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    def get_absolute_url(self) -> str:
        return reverse("model-version", args=[self.pk])

    @classmethod
    def active(cls) -> "ModelVersion | None":
        """Return the active version; None before the first one is registered."""
        return cls.objects.filter(is_active=True).first()

    @classmethod
    def active_key(cls) -> int | None:
        """Return the primary key of the active version, by a statement that is compiled once."""
        with connection.cursor() as cursor:
            cursor.execute(*_statement_of_active_key())
            row = cursor.fetchone()
        return row[0] if row else None

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """Yield a local path of the model's file, which is fetched if the storage is remote.

        Raises:
            ModelError: the file cannot be fetched.
        """
        try:
            path = Path(self.file.storage.path(self._file_name()))
        except NotImplementedError:  # a storage without local paths
            yield self._fetched()
        else:
            yield path

    def _fetched(self) -> Path:
        """Return a copy of the file on this machine, by its checksum; the last few are kept."""
        folder: Path = settings.CONVERTED_DIR / "fetched"
        kept = folder / f"{self.sha256}.keras"
        if kept.is_file() and file_sha256(kept) == self.sha256:
            os.utime(kept)
            return kept
        name = self._file_name()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as drafts:
                draft = Path(drafts) / kept.name
                with self.file.storage.open(name) as stored, draft.open("wb") as file:
                    shutil.copyfileobj(stored, file)
                draft.replace(kept)
        except OSError as error:
            raise ModelError(
                f"the model file {PurePath(name).name} cannot be fetched: {error}"
            ) from error
        for old in sorted(folder.glob("*.keras"), key=lambda one: -one.stat().st_mtime)[FETCHED:]:
            old.unlink(missing_ok=True)
        return kept

    def _file_name(self) -> str:
        if not self.file.name:
            raise ModelError(f"{self} has no model file")
        return self.file.name

    @property
    def mnist_accuracy(self) -> float | None:
        """The share of MNIST's test images whose most probable digit is right."""
        return first_known(_at(self.metrics, path) for path in MNIST_ACCURACY)


@cache
def _statement_of_active_key() -> tuple[str, tuple[Any, ...]]:
    active = ModelVersion.objects.filter(is_active=True).order_by().values("pk")
    return active.query.sql_with_params()


def first_known(values: Iterable[float | None]) -> float | None:
    """Return the first value that is not None; None if there is none."""
    return next((value for value in values if value is not None), None)


def _at(metrics: Metrics, path: str) -> float | None:
    """Return the share at a path of keys; None where a key is missing."""
    found: Any = metrics
    for name in path.split("__"):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, float | int) else None


class Activation(Leased):
    """A request to activate a version; a worker tries the version, then activates or refuses it.

    Its row is the queue: see digits.versions.activations. Finished rows are kept for rollbacks.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "waiting for a worker"
        DONE = "done", "activated"
        REFUSED = "refused", "refused"

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="activations")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=500, blank=True, help_text="why it was refused")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # What a worker has to do next.
            models.Index(fields=["id"], condition=Q(status="queued"), name="activation_to_do")
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_status_display()}"
