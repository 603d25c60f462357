"""The process that trains: it works on one claimed run, and registers the new version."""

import logging
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.conf import settings
from django.db import connection, transaction

from digits.learning import data, runs, used
from digits.models import ModelVersion, TrainingRun
from digits.models.training import RunStatus
from digits.queue import leases
from digits.tasks import serving
from digits.versions import activations, registry, warnings
from worker.evaluation.judging import is_better, judge
from worker.files.datasets import load_mnist
from worker.metrics import Epoch, Metrics
from worker.reading.bundle import BUNDLED_MODEL
from worker.training.recipes import Recipe

if TYPE_CHECKING:
    import keras

    from worker.training import fit

logger = logging.getLogger(__name__)
RENEW_EVERY = 2.0  # seconds between two renewals of the lease
SAVE_EVERY = 0.5  # seconds between two saved steps
Watch = Callable[[int, int, int], None]


class Trained(NamedTuple):
    """A model and its student, if it has one."""

    model: "keras.Model"
    student: "keras.Model | None"


class LeaseLost(Exception):
    """Another process works on the run, or it was cancelled."""


def train_run(run: TrainingRun, watch: Watch | None = None) -> None:
    """Work on a claimed run until it ends; an error is written to its row.

    watch: called after each step with the epoch (from 0), the step (from 1) and how many steps an
        epoch has.
    """
    for folder in folder_of(run).parent.glob("*"):
        if folder != folder_of(run):  # what runs that were killed have left
            shutil.rmtree(folder, ignore_errors=True)
    stop = threading.Event()
    threading.Thread(target=_keep_lease, args=[run, stop], daemon=True).start()
    try:
        _train(run, watch)
    except LeaseLost:
        logger.warning("%s is no longer ours", run)
    except Exception as error:
        detail = "".join(traceback.format_exception(error))
        reason = f"{type(error).__name__}: {error}"[:500]
        runs.finish(run, RunStatus.FAILED, f"failed: {reason}", error=reason, error_detail=detail)
        logger.exception("%s failed", run)
    finally:
        stop.set()
    run.refresh_from_db()
    if run.is_finished:
        shutil.rmtree(folder_of(run), ignore_errors=True)


def folder_of(run: TrainingRun) -> Path:
    """Return the folder of a run's checkpoints."""
    return settings.DATA_DIR / "training" / str(run.pk)


def _keep_lease(run: TrainingRun, stop: threading.Event) -> None:
    while not stop.wait(RENEW_EVERY):
        try:
            leases.renew(run)
        except Exception:
            logger.exception("the lease of %s could not be renewed", run)
    connection.close()


def _train(run: TrainingRun, watch: Watch | None) -> None:
    recipe = Recipe.from_dict(run.settings)
    found = data.collect()
    _update(run, data=found.as_dict(), data_until=found.until, epochs=recipe.all_epochs)
    used.store(run, found.keys, found.people)
    if not run.forced and not data.is_new(run, found):
        text = "Nothing is new since the last training."
        runs.finish(run, RunStatus.DONE, text, outcome=text)
        return
    from worker.reading import devices

    devices.load_backend()
    from worker.training import fit
    from worker.training.student import distil

    active = ModelVersion.active()
    started = time.monotonic()
    runs.log(run, _data_in_words(found))
    mnist = load_mnist("train")
    start = None if run.from_scratch else _start(active, recipe)
    corrections = found.learned if len(found.learned) else None
    progress = _progress(run, watch)
    model = fit.train(
        mnist,
        recipe,
        load_mnist("test"),
        progress,
        corrections=corrections,
        start=start and start.model,
        checkpoints=fit.Checkpoints(folder_of(run)),
    )
    student = distil(
        model,
        mnist,
        recipe,
        corrections=corrections,
        start=start and start.student,
        on_step=progress.in_last_epoch(recipe),
    )
    runs.log(run, "judging the new model beside the active one")
    made, seconds = Trained(model, student), time.monotonic() - started
    _judge_and_register(run, made, recipe, found, active, len(mnist), seconds)


def _data_in_words(found: data.Corrections) -> str:
    text = f"learning from MNIST and {len(found.learned)} corrections"
    text += f", {len(found.held_out)} are held out for judging"
    if found.left_out:
        text += f", {found.left_out} are left out because nobody who is trusted said so"
    if found.skipped:
        text += f", {len(found.skipped)} were skipped because their pixels cannot be read"
    return text


def _start(active: ModelVersion | None, recipe: Recipe) -> Trained:
    """Load the active version and its student, or the one that ships where it has none."""
    from worker.reading.keras_models import load_model, load_student

    if active is None:
        raise ValueError("expected an active model version to fine-tune, received none")
    if active.architecture != recipe.architecture:
        raise ValueError(
            f"expected the architecture {active.architecture} of {active} to fine-tune it,"
            f" received {recipe.architecture}"
        )
    with active.local_file() as path:
        return Trained(
            load_model(path, active.sha256), load_student(path) or load_student(BUNDLED_MODEL)
        )


def _progress(run: TrainingRun, watch: Watch | None) -> "fit.Progress":
    from worker.training import fit

    last_saved = 0.0

    def on_step(epoch: int, step: int, steps: int) -> None:
        nonlocal last_saved
        if watch:
            watch(epoch, step, steps)
        if time.monotonic() - last_saved >= SAVE_EVERY or step == steps:
            last_saved = time.monotonic()
            _update(run, epoch=epoch, step=step, steps=steps)

    def on_epoch(epoch: int, figures: Epoch) -> None:
        curves = [one for one in runs.curves(run) if one["epoch"] < epoch]
        now: Epoch = {"epoch": epoch, "at": round(time.time(), 1)}
        curves.append(now | {name: round(v, 5) for name, v in figures.items()})
        _update(run, epoch=epoch, step=0, curves=curves)
        shown = ", ".join(f"{name.replace('_', ' ')} {v:.4f}" for name, v in figures.items())
        runs.log(run, f"epoch {epoch}: {shown}")

    return fit.Progress(on_step, on_epoch)


def _update(run: TrainingRun, **fields: Any) -> None:
    if not runs.update(run, **fields):
        raise LeaseLost


def _judge_and_register(
    run: TrainingRun,
    trained: Trained,
    recipe: Recipe,
    found: data.Corrections,
    active: ModelVersion | None,
    mnist_images: int,
    seconds: float,
) -> None:
    from worker.reading.bundle import write_bundle
    from worker.reading.engine import Engine
    from worker.training import fit

    beside = serving.load(active) if active else None
    engine = Engine.from_model(*trained)
    read = engine.predict(load_mnist("test").images)
    report = judge(engine, beside, found.held_out, read)
    report["active_version"] = active.number if active else None
    measured = fit.measure(*trained, read)
    metrics = cast(Metrics, measured)  # the rest of what Metrics may hold follows
    metrics["recipe"] = recipe.as_dict()
    metrics["epochs"] = runs.curves(run)
    metrics["training_seconds"] = round(seconds)
    metrics["data"] = {
        "counts": {
            "MNIST": mnist_images,
            "corrections": len(found.learned),
            "held_out": len(found.held_out),
            "skipped": len(found.skipped),
        },
        "sha256": found.sha256,
    }
    metrics["report"] = report
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        metrics = write_bundle(trained.model, metrics, Path(folder), trained.student)
        serving.prepare(Path(folder) / "digits.keras")
        _update(run, step=0)  # the last moment to be cancelled
        with transaction.atomic():
            version = registry.register(
                Path(folder) / "digits.keras", metrics, note=f"{run}", parent=active
            )
            version.withdrawn_corrections = used.withdrawn_of(run)
            version.save(update_fields=["withdrawn_corrections"])
            better = is_better(report)
            is_wished = run.activate_if_better and not version.withdrawn_corrections
            outcome = _outcome(version, better, is_wished)
            if not runs.finish(run, RunStatus.DONE, outcome, outcome=outcome, version=version):
                raise LeaseLost
            warnings.refresh()
            if better and is_wished:
                activations.request(version, run.requested_by)


def _outcome(version: ModelVersion, better: bool, is_wished: bool) -> str:
    compared = "reads better than" if better else "reads no better than"
    text = f"{version} was made; it {compared} the active one"
    if count := version.withdrawn_corrections:
        return f"{text}, but {count} of its corrections were withdrawn meanwhile"
    return f"{text} and is activated" if better and is_wished else text
