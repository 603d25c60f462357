"""The model in a worker process: loaded once, swapped when another version becomes active."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connection

from digits.models import Activation, ModelVersion
from digits.monitoring import measures
from digits.queue import heartbeats
from worker.reading.bundle import BUNDLED_MODEL, ModelError, file_sha256

if TYPE_CHECKING:
    from worker.reading.engine import Engine

logger = logging.getLogger(__name__)
REFUSED_SECONDS = 60  # then a refused version is tried again: its file may have been mended


@dataclass(frozen=True)
class Loaded:
    """A version and the engine that reads with it."""

    version: ModelVersion
    engine: Engine


class Serving:
    """The versions that a worker process has loaded: the active one, and at most one other."""

    def __init__(self) -> None:
        self.device = "CPU"
        self.active: Loaded | None = None
        self.other: Loaded | None = None
        self._refused: int | None = None  # the primary key of a version that could not be loaded
        self._refused_until = 0.0
        self._changed = threading.Event()  # the active version, for the heartbeats

    def start(self, index: int) -> None:
        """Pin this process, load the active version, and start to send heartbeats."""
        from worker.reading import devices

        devices.spare_threads()
        pinned = devices.pin(index, settings.GPUS)
        if devices.runtime() == "tensorflow":
            devices.load_backend()
        self.device = devices.describe(pinned)
        threading.Thread(
            target=heartbeats.send,
            args=[self.heartbeat, self._changed, measures.flush],
            name="heartbeats",
            daemon=True,
        ).start()
        try:
            self.engine_and_version()
        except Exception:  # The sweeper's wake-ups try again; uploads stay queued.
            logger.exception("the active model version could not be loaded")
        connection.close()  # Each task opens its own.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)

    def engine_and_version(self) -> tuple[Engine, ModelVersion]:
        """Return the engine of the active version, which is loaded if it is not yet.

        A version that cannot be loaded is refused for a while. Meanwhile the one before it stays in
        use; in a process that has loaded none, the last one that can be loaded.

        Raises:
            ModelError: none can be loaded.
        """
        if self.active is not None and self.active.version.pk == ModelVersion.active_key():
            return self.active.engine, self.active.version
        version = ModelVersion.active()
        if version is not None and not self._is_loaded(version) and not self._is_refused(version):
            try:
                self.use(load(version), version)
            except ModelError as error:
                if self.active is None and not self._use_one_before(version):
                    raise
                self.refuse(version)
                instead = self.active and self.active.version
                logger.error("refused %s, %s goes on: %s", version, instead, error)
        if self.active is None:
            raise ModelError("no model version is active")
        return self.active.engine, self.active.version

    def _use_one_before(self, broken: ModelVersion) -> bool:
        """Use the version that was active before another, or the one that ships.

        Returns:
            False if none of them can be loaded.
        """
        for version, load_it in _instead_of(broken):
            try:
                self.use(load_it(version), version)
            except ModelError as error:
                logger.error("%s cannot be loaded either: %s", version, error)
            else:
                return True
        return False

    def _is_loaded(self, version: ModelVersion) -> bool:
        return self.active is not None and self.active.version.pk == version.pk

    def _is_refused(self, version: ModelVersion) -> bool:
        return version.pk == self._refused and time.monotonic() < self._refused_until

    def refuse(self, version: ModelVersion, seconds: float = REFUSED_SECONDS) -> None:
        """Do not try to load a version again for so many seconds."""
        self._refused, self._refused_until = version.pk, time.monotonic() + seconds

    def engine_of(self, version: ModelVersion) -> Engine:
        """Return the engine of any version; one that is not active is kept until another is loaded.

        Raises:
            ModelError: it cannot be loaded.
        """
        if self.active is not None and self._is_loaded(version):
            return self.active.engine
        if self.other is None or self.other.version.pk != version.pk:
            self.other = Loaded(version, load(version))
        return self.other.engine

    def forget_other(self) -> None:
        """Free the memory of a version other than the active one."""
        self.other = None

    def use(self, engine: Engine, version: ModelVersion) -> None:
        """Read with this engine from the next batch on."""
        self.active, self._refused = Loaded(version, engine), None
        self._changed.set()
        logger.info(
            "loaded model version %d on %s in %.1f s (process %d)",
            version.number,
            self.device,
            engine.load_seconds,
            os.getpid(),
        )

    def heartbeat(self) -> heartbeats.State:
        """Return the state of this process."""
        return {
            "device": self.device,
            "version": self.active.version.number if self.active else None,
        }


process = Serving()  # the one of this worker process


def _instead_of(
    version: ModelVersion,
) -> Iterator[tuple[ModelVersion, Callable[[ModelVersion], Engine]]]:
    """Yield the versions that were active before one, the last first, and at last that which ships;
    each with the function that loads it."""
    done = Activation.objects.filter(status=Activation.Status.DONE).exclude(version=version)
    seen = {version.pk}
    for activation in done.select_related("version").order_by("-id"):
        if activation.version.pk not in seen:
            seen.add(activation.version.pk)
            yield activation.version, load
    shipped = ModelVersion.objects.filter(sha256=file_sha256(BUNDLED_MODEL)).order_by("pk")
    yield from ((one, _load_from_where_it_ships) for one in shipped[:1])


def load(version: ModelVersion) -> Engine:
    """Load a version's engine, which reads nothing until it is used.

    Raises:
        ModelError: its file is missing, was changed, or is not a model of digits.
    """
    from worker.reading.engine import Engine

    with version.local_file() as path:
        return Engine(path, version.sha256, converted=_converted())


def prepare(path: Path) -> None:
    """Convert a new model for this processor, so that its activation takes a second, not five.

    Raises:
        ModelError: it cannot be loaded.
    """
    from worker.reading.engine import Engine

    Engine(path, converted=_converted())


def _load_from_where_it_ships(version: ModelVersion) -> Engine:
    """Load the engine of the version that ships, whatever became of its stored file."""
    from worker.reading.engine import Engine

    logger.error("%s is loaded from where it ships", version)
    return Engine(BUNDLED_MODEL, version.sha256, converted=_converted())


def local_engine(path: Path | None = None) -> Engine:
    """Load an engine for a command: of this file, else of the active version, else of the model
    that ships.

    Raises:
        ModelError: the model cannot be loaded.
    """
    from worker.reading import devices

    devices.pin(0, settings.GPUS)
    if devices.runtime() == "tensorflow":
        devices.load_backend()
    from worker.reading.engine import Engine

    if path:
        return Engine(path, converted=_converted())
    try:
        version = ModelVersion.active()
    except DatabaseError:  # no database, or not migrated yet
        version = None
    return load(version) if version else Engine(converted=_converted())


def _converted() -> Path:
    """Return the folder of the models that were converted for this processor."""
    folder: Path = settings.CONVERTED_DIR
    return folder
