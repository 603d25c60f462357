"""Bulk jobs in a classify worker: read claimed parts."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import OperationalError, close_old_connections

from digits.batches import parts
from digits.files import as_binary
from digits.models import Batch, BatchPart, ModelVersion
from digits.monitoring import measures
from digits.queue import keeping
from digits.tasks import serving
from worker.files import archives
from worker.files.layouts import Layout
from worker.files.plans import ZIP, Part
from worker.reading.bundle import ModelError

if TYPE_CHECKING:
    from worker.files.part_reading import Item
    from worker.reading.engine import Engine

logger = logging.getLogger(__name__)


def work_on_part(part: BatchPart, between: Callable[[], object] = bool) -> None:
    """Read a claimed part and save its items; after an error it is tried again, up to a limit.

    between: called every few milliseconds, for what cannot wait for the whole part.
    """
    try:
        engine = _engine_of(part.batch)
        try:
            with keeping.kept([part]):
                items = _read(part, engine, between)
            if len(items) != part.rows:
                raise ValueError(f"expected {part.rows} rows of {part}, read {len(items)}")
        except BaseException:
            close_files()
            raise
        if parts.save(part, items):
            bad = sum(bool(item.error) for item in items)
            measures.count("entries_ended", "read", len(items) - bad)
            measures.count("entries_ended", "bad", bad)
    except ModelError:  # no version reads at all now; that is not its fault
        parts.retry_later(part, count_attempt=False)
        raise
    except FileNotFoundError as error:
        parts.fail(part.batch, "The batch's file is gone from the storage.", error)
    except OSError as error:  # a full or absent disk is not the part's fault
        logger.error("the storage fails for %s, tried again: %s", part, error)
        parts.retry_later(part, count_attempt=False)
    except OperationalError as error:  # nor is a database that is full, busy or gone
        logger.error("the database fails for %s, tried again: %s", part, error)
        close_old_connections()  # it may be of no use any more
        parts.retry_later(part, count_attempt=False)
    except Exception:
        logger.exception("%s could not be read", part)
        if part.attempts < settings.MAX_ATTEMPTS:
            parts.retry_later(part)
        else:
            parts.give_up(part, "It could not be read because of an internal error.")


def _engine_of(batch: Batch) -> "Engine":
    """Return the engine of the version that reads the whole batch: the active one at its start.

    If that cannot be loaded any more, the one that reads uploads now goes on with the batch.
    """
    version = batch.version
    if version is None:
        _, active = serving.process.engine_and_version()
        Batch.objects.filter(pk=batch.pk, version=None).update(version=active)
        version = batch.version = ModelVersion.objects.filter(batches=batch).first() or active
    try:
        return serving.process.engine_of(version)
    except ModelError as error:
        engine, other = serving.process.engine_and_version()
        if other.pk == version.pk:
            raise
        logger.error("%s goes on with %s: %s", batch, other, error)
        Batch.objects.filter(pk=batch.pk).update(version=other)
        batch.version = other
        return engine


def _read(part: BatchPart, engine: "Engine", between: Callable[[], object]) -> list["Item"]:
    from worker.files.part_reading import read_part

    batch = part.batch
    files = _open(batch)
    return read_part(
        engine,
        batch.kind,
        Part(part.first, part.rows, part.offset, part.size),
        files.file,
        files.labels,
        archive=files.archive,
        layout=Layout.from_json(batch.layout, batch.labelled),
        limits=parts.limits(),
        max_pixels=settings.MAX_PIXELS,
        between=between,
    )


class _Files:
    """A batch's files, open as long as its parts are read: a ZIP's directory is read once."""

    def __init__(self, batch: Batch) -> None:
        self.of = batch.pk, batch.file.name, batch.created_at
        self._opened = ExitStack()
        self.file = as_binary(self._opened.enter_context(batch.file.open("rb")))
        self.labels = None
        if batch.labels:
            self.labels = as_binary(self._opened.enter_context(batch.labels.open("rb")))
        self.archive = None
        if batch.kind == ZIP:
            self.archive = archives.open_archive(self.file, parts.limits().archive)

    def close(self) -> None:
        self._opened.close()


_files: _Files | None = None  # of the batch whose part was read last


def _open(batch: Batch) -> _Files:
    global _files
    if _files is None or _files.of != (batch.pk, batch.file.name, batch.created_at):
        close_files()
        _files = _Files(batch)
    return _files


def close_files() -> None:
    """Close the files of the batch whose part was read last."""
    global _files
    if _files is not None:
        _files.close()
    _files = None
