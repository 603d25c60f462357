"""Register trained models as versions."""

import json
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management import CommandError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from digits.models import ModelVersion
from worker.metrics import Metrics
from worker.reading.bundle import BUNDLED_METRICS, BUNDLED_MODEL, file_sha256


def register_bundled_after_migrate(using: str = "default", **_: Any) -> None:
    """Receive the signal that the database was migrated.

    Raises:
        CommandError: the model that ships cannot be stored.
    """
    if using == "default" and BUNDLED_MODEL.is_file() and not _is_behind():
        try:
            register_bundled()
        except OSError as error:
            raise CommandError(f"the model that ships cannot be stored: {error}") from error


def _is_behind() -> bool:
    """Return whether the database was migrated to an earlier state than that of the code."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def register_bundled() -> ModelVersion:
    """Register the model that ships, once; activate it if no version is active."""
    metrics: Metrics = json.loads(BUNDLED_METRICS.read_text())
    sha256 = file_sha256(BUNDLED_MODEL)
    known = ModelVersion.objects.filter(sha256=sha256).first()
    if known and known.metrics != metrics:  # it was measured anew
        known.metrics = metrics
        known.save(update_fields=["metrics"])
    return known or register(BUNDLED_MODEL, metrics, note="ships with Digits")


def register(
    path: Path, metrics: Metrics, note: str = "", parent: ModelVersion | None = None
) -> ModelVersion:
    """Copy a model file into the storage as the next version."""
    with transaction.atomic():
        newest = ModelVersion.objects.order_by("-number").first()
        version = ModelVersion(
            number=newest.number + 1 if newest else 1,
            architecture=metrics["architecture"],
            sha256=file_sha256(path),
            metrics=metrics,
            note=note,
            parent=parent,
            is_active=ModelVersion.active() is None,
        )
        with open(path, "rb") as file:
            version.file.save(path.name, File(file), save=True)
    return version
