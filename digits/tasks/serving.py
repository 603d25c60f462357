"""The model in a worker process: loaded once, swapped when another version becomes active."""

import logging
import os
import threading
import time
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection

from digits.models import ModelVersion
from digits.queue import heartbeats
from worker.reading.bundle import ModelError

logger = logging.getLogger(__name__)
REFUSED_SECONDS = 60  # then a refused version is tried again: its file may have been mended
_state: dict = {
    "device": "CPU",
    "engine": None,
    "version": None,
    "refused": None,
    "again_at": 0.0,
    "other": None,
}


def start(index: int):
    """Pin this process, load the active version, and begin to give signs of life."""
    from worker.reading import devices

    pinned = devices.pin(index, settings.GPUS)
    devices.load_backend()
    _state["device"] = devices.describe(pinned)
    threading.Thread(
        target=heartbeats.give, args=[_sign], name="signs-of-life", daemon=True
    ).start()
    try:
        engine_and_version()
    except Exception:  # The sweeper's wake-ups try again; uploads stay queued.
        logger.exception("the active model version could not be loaded")
    connection.close()  # Each task opens its own.


def engine_and_version():
    """Give the engine of the active version, which is loaded if it is not yet.

    A version that cannot be loaded is refused, and the one before it goes on.

    Raises:
        ModelError: it cannot be loaded, and there is none before it.
    """
    version = ModelVersion.active()
    if version is None and _state["engine"] is None:
        raise ModelError("no model version is active")
    if version is not None and version.pk not in (_loaded(), _refused()):
        try:
            use(load(version), version)
        except ModelError as error:
            if _state["engine"] is None:
                raise
            _state.update(refused=version.pk, again_at=time.monotonic() + REFUSED_SECONDS)
            logger.error("refused %s, %s goes on: %s", version, _state["version"], error)
    return _state["engine"], _state["version"]


def _loaded() -> int | None:
    return _state["version"] and _state["version"].pk


def _refused() -> int | None:
    return _state["refused"] if time.monotonic() < _state["again_at"] else None


def engine_of(version: ModelVersion):
    """Give the engine of any version: the one that reads now, or another, of which one is kept.

    Raises:
        ModelError: it cannot be loaded.
    """
    if version.pk == _loaded():
        return _state["engine"]
    if _state["other"] is None or _state["other"][0] != version.pk:
        _state["other"] = version.pk, load(version)
    return _state["other"][1]


def forget_other():
    """Let the memory go that another version than the active one takes."""
    _state["other"] = None


def load(version: ModelVersion):
    """Load a version's engine, which reads nothing until it is used.

    Raises:
        ModelError: its file is missing, was changed, or is no digit model.
    """
    from worker.reading.engine import Engine

    return Engine(Path(default_storage.path(version.file.name)), version.sha256)


def use(engine, version: ModelVersion):
    """Read with this engine from the next batch on."""
    _state.update(engine=engine, version=version, refused=None)
    logger.info(
        "loaded model version %d on %s in %.1f s (process %d)",
        version.number,
        _state["device"],
        engine.load_seconds,
        os.getpid(),
    )


def local_engine(path: Path | None = None):
    """Load an engine for a command: of this file, else of the active version, else what ships.

    Raises:
        ModelError: the model cannot be loaded.
    """
    from worker.reading import devices

    devices.pin(0, settings.GPUS)
    devices.load_backend()
    from worker.reading.engine import Engine

    if path:
        return Engine(path)
    try:
        version = ModelVersion.active()
    except DatabaseError:  # no database, or not migrated yet
        version = None
    if version is None:
        return Engine()
    return load(version)


def _sign() -> dict:
    version = _state["version"]
    return {"device": _state["device"], "version": version and version.number}
