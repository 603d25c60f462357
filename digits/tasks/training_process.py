"""What a training run learns from, and what becomes of what it learned."""

import hashlib
import logging
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from digits.learning import runs
from digits.models import Digit, ModelVersion, TrainingRun
from digits.models.training import RunStatus
from digits.versions import activations, registry
from worker.evaluation.judging import is_better, judge
from worker.files.datasets import Dataset, load_mnist
from worker.training.recipes import Recipe

logger = logging.getLogger(__name__)
HELD_OUT = 10  # one correction in so many is kept for judging
KEEP_EVERY = 2.0  # seconds between two signs of life
TELL_EVERY = 0.5  # seconds between two saved steps


class LeaseLost(Exception):
    """Another process works on the run, or it was cancelled: this one stops."""


@dataclass(frozen=True)
class Corrections:
    """The corrected digits, apart by their pixels into those to learn and those to judge by.

    skipped: the numbers of the digits whose pixels cannot be used.
    sha256: of all of them, so that two runs can tell whether they learned from the same.
    until: when the newest of them was said.
    """

    learned: Dataset
    held_out: Dataset
    skipped: list[int]
    sha256: str
    until: object

    def as_dict(self) -> dict:
        return {
            "corrections": len(self.learned),
            "held_out": len(self.held_out),
            "skipped": self.skipped[:100],
            "skipped_count": len(self.skipped),
            "sha256": self.sha256,
        }


def corrections() -> Corrections:
    """Collect all corrections. Which tenth is held out depends on a digit's pixels alone."""
    until = timezone.now()
    rows = Digit.objects.filter(label__isnull=False).order_by("pk")
    kept, skipped, whole = {True: [], False: []}, [], hashlib.sha256()
    for pk, pixels, label in rows.values_list("pk", "pixels", "label").iterator(2000):
        pixels = bytes(pixels)
        if len(pixels) != 28 * 28 or not any(pixels):
            skipped.append(pk)
            continue
        own = hashlib.sha256(pixels).digest()
        whole.update(own + bytes([label]))
        kept[int.from_bytes(own[:4]) % HELD_OUT == 0].append((pixels, label))
    return Corrections(
        _dataset(kept[False]), _dataset(kept[True]), skipped, whole.hexdigest(), until
    )


def _dataset(rows: list[tuple[bytes, int]]) -> Dataset:
    images = np.frombuffer(b"".join(pixels for pixels, _ in rows), np.uint8).reshape(-1, 28, 28)
    return Dataset(images, np.array([label for _, label in rows], np.uint8))


def train_run(run: TrainingRun, watch: Callable[[int, int, int], None] | None = None):
    """Work on a claimed run to its end; what goes wrong is written into its row.

    watch: called after each step with the epoch (from 0), the step (from 1) and how many steps an
        epoch has.
    """
    for folder in folder_of(run).parent.glob("*"):
        if folder != folder_of(run):  # what runs that were killed have left
            shutil.rmtree(folder, ignore_errors=True)
    stop = threading.Event()
    threading.Thread(target=_give_signs, args=[run, stop], daemon=True).start()
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
    """Where the states after its epochs lie while it runs."""
    return settings.DATA_DIR / "training" / str(run.pk)


def _give_signs(run: TrainingRun, stop: threading.Event):
    while not stop.wait(KEEP_EVERY):
        try:
            runs.keep(run)
        except Exception:
            logger.exception("no sign of life could be given for %s", run)
    connection.close()


def _train(run: TrainingRun, watch):
    recipe = Recipe.from_dict(run.settings)
    found = corrections()
    _update(run, data=found.as_dict(), data_until=found.until, epochs=recipe.all_epochs)
    if not run.forced and not _is_new(run, found):
        text = "Nothing is new since the last training."
        runs.finish(run, RunStatus.DONE, text, outcome=text)
        return
    from worker.training import fit

    active = ModelVersion.active()
    started = time.monotonic()
    runs.tell(run, _what(found, run))
    mnist = load_mnist("train")
    model = fit.train(
        mnist,
        recipe,
        load_mnist("test"),
        _progress(run, fit, watch),
        corrections=found.learned if len(found.learned) else None,
        start=None if run.from_scratch else _start(active, recipe),
        checkpoints=fit.Checkpoints(folder_of(run)),
    )
    runs.tell(run, "judging the new model beside the active one")
    _judge_and_register(run, model, recipe, found, active, len(mnist), time.monotonic() - started)


def _what(found: Corrections, run: TrainingRun) -> str:
    said = f"learning from MNIST and {len(found.learned)} corrections"
    said += f", {len(found.held_out)} are held out for judging"
    if found.skipped:
        said += f", {len(found.skipped)} were skipped because their pixels cannot be read"
    return said


def _is_new(run: TrainingRun, found: Corrections) -> bool:
    """Tell whether corrections were added, changed or withdrawn since the last training."""
    done = TrainingRun.objects.filter(status=RunStatus.DONE, version__isnull=False)
    last = done.exclude(pk=run.pk).order_by("-pk").first()
    if last is None:
        return len(found.learned) + len(found.held_out) > 0
    return last.data.get("sha256") != found.sha256


def _start(active: ModelVersion | None, recipe: Recipe):
    from worker.reading.engine import load_model

    if active is None:
        raise ValueError("expected an active model version to fine-tune, received none")
    if active.architecture != recipe.architecture:
        raise ValueError(
            f"expected the architecture {active.architecture} of {active} to fine-tune it,"
            f" received {recipe.architecture}"
        )
    return load_model(Path(default_storage.path(active.file.name)), active.sha256)


def _progress(run: TrainingRun, fit, watch):
    last_told = 0.0

    def on_step(epoch: int, step: int, steps: int):
        nonlocal last_told
        if watch:
            watch(epoch, step, steps)
        if time.monotonic() - last_told >= TELL_EVERY or step == steps:
            last_told = time.monotonic()
            _update(run, epoch=epoch, step=step, steps=steps)

    def on_epoch(epoch: int, figures: dict):
        curves = [*TrainingRun.objects.values_list("curves", flat=True).get(pk=run.pk)]
        curves = [one for one in curves if one["epoch"] < epoch]
        now = {"epoch": epoch, "at": round(time.time(), 1)}
        curves.append(now | {name: round(v, 5) for name, v in figures.items()})
        _update(run, epoch=epoch, step=0, curves=curves)
        shown = ", ".join(f"{name.replace('_', ' ')} {v:.4f}" for name, v in figures.items())
        runs.tell(run, f"epoch {epoch}: {shown}")

    return fit.Progress(on_step, on_epoch)


def _update(run: TrainingRun, **fields):
    if not runs.update(run, **fields):
        raise LeaseLost


def _judge_and_register(
    run, model, recipe: Recipe, found, active, mnist_images: int, seconds: float
):
    from worker.reading.bundle import write_bundle
    from worker.reading.engine import Engine
    from worker.training import fit

    beside = Engine(Path(default_storage.path(active.file.name)), active.sha256) if active else None
    report = judge(Engine.of(model), beside, found.held_out)
    report["active_version"] = active and active.number
    metrics = fit.measure(model) | {
        "recipe": recipe.as_dict(),
        "epochs": run_curves(run),
        "training_seconds": round(seconds),
        "data": {
            "counts": {
                "MNIST": mnist_images,
                "corrections": len(found.learned),
                "held_out": len(found.held_out),
                "skipped": len(found.skipped),
            },
            "sha256": found.sha256,
        },
        "report": report,
    }
    with tempfile.TemporaryDirectory(prefix="digits-") as folder:
        metrics = write_bundle(model, metrics, Path(folder))
        _update(run, step=0)  # the last moment to be cancelled
        with transaction.atomic():
            version = registry.register(
                Path(folder) / "digits.keras", metrics, note=f"{run}", parent=active
            )
            better = is_better(report)
            outcome = _outcome(run, version, better)
            if not runs.finish(run, RunStatus.DONE, outcome, outcome=outcome, version=version):
                raise LeaseLost
            if better and run.activate_if_better:
                activations.request(version, run.requested_by)


def _outcome(run: TrainingRun, version: ModelVersion, better: bool) -> str:
    said = "reads better than" if better else "reads no better than"
    said = f"{version} was made; it {said} the active one"
    return f"{said} and is activated" if better and run.activate_if_better else said


def run_curves(run: TrainingRun) -> list[dict]:
    return TrainingRun.objects.values_list("curves", flat=True).get(pk=run.pk)
