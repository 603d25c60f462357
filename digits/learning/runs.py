"""Training runs: they are requested, claimed under a lease, updated and ended."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, Subquery

from digits.audit.actors import on_behalf_of
from digits.audit.trail import record
from digits.models import Correction, ModelVersion, TrainingEvent, TrainingRun
from digits.models.audit import Act
from digits.models.training import Origin, RunStatus
from digits.queue import clock, leases, wake_ups
from worker.metrics import Epoch
from worker.training.recipes import Recipe

logger = logging.getLogger(__name__)
TASK = "digits.train"


class AlreadyRunning(Exception):
    """Another training run, `run`, is unfinished."""

    def __init__(self, run: TrainingRun | None) -> None:
        self.run = run
        super().__init__(f"{run or 'a training run'} is not finished yet; one runs at a time")


def ask(
    recipe: Recipe,
    *,
    from_scratch: bool = False,
    activate_if_better: bool = True,
    forced: bool = False,
    origin: str = Origin.ADMIN,
    user: User | None = None,
    **fields: Any,
) -> TrainingRun:
    """Request a training; a train worker claims it.

    Raises:
        AlreadyRunning: another run is unfinished.
    """
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                settings=recipe.as_dict(),
                from_scratch=from_scratch,
                activate_if_better=activate_if_better,
                forced=forced,
                origin=origin,
                requested_by=user,
                epochs=recipe.all_epochs,
                base=ModelVersion.active(),
                **fields,
            )
            record(Act.TRAINING_REQUESTED, run, run.get_origin_display(), on_behalf_of(user))
    except IntegrityError as error:
        raise AlreadyRunning(TrainingRun.objects.unfinished().first()) from error
    # Everybody may read the log; the run has the name.
    log(run, f"requested by {run.get_origin_display()}")
    if run.status == RunStatus.QUEUED:
        transaction.on_commit(wake_up, robust=True)
    return run


def new_corrections() -> int:
    """Return the number of corrections that the last finished training did not include.

    Those of people whose word is not learned from (TRAIN_ON) do not count.
    """
    done = TrainingRun.objects.filter(status=RunStatus.DONE, data_until__isnull=False)
    last = done.order_by("-data_until").values("data_until")[:1]
    learned = Correction.objects.filter(is_current=True, trust__in=settings.TRAIN_ON)
    is_old = Q(counts_since__lte=Subquery(last))
    counted = learned.order_by().aggregate(new=Count("pk") - Count("pk", filter=is_old))
    new: int = counted["new"]
    return new


def ask_if_enough_is_new() -> None:
    """Request a fine-tuning after RETRAIN_AFTER new corrections, if that is set."""
    if settings.RETRAIN_AFTER and new_corrections() >= settings.RETRAIN_AFTER:
        try:
            ask(Recipe.fine_tuning(), origin=Origin.AUTOMATIC)
        except AlreadyRunning:
            logger.info("enough corrections are new, and a training is under way already")


def wake_up() -> bool:
    """Wake the train worker. Without Redis, the sweeper wakes it later."""
    return wake_ups.send(TASK, force=True)


def claim() -> TrainingRun | None:
    """Claim the queued run under a new lease; return None if there is none."""
    queued = TrainingRun.objects.filter(status=RunStatus.QUEUED)
    return next(iter(leases.claim(queued, started_at=clock.now())), None)


def update(run: TrainingRun, **fields: Any) -> bool:
    """Update a held run's row; return False if the lease was lost."""
    return leases.held(run).update(**fields) == 1


def curves(run: TrainingRun) -> list[Epoch]:
    """Return the stored figures of each finished epoch."""
    stored: list[Epoch] = TrainingRun.objects.values_list("curves", flat=True).get(pk=run.pk)
    return stored


def log(run: TrainingRun, text: str) -> None:
    """Write a line into the run's log."""
    TrainingEvent.objects.create(run=run, text=text[:500])
    logger.info("%s: %s", run, text)


def finish(run: TrainingRun, status: str, text: str, **fields: Any) -> bool:
    """End a held run in one UPDATE, and log that. Return False if the lease was lost."""
    ended = leases.finish(run, status=status, **fields) == 1
    if ended:
        log(run, text)
    return ended


def cancel(run: TrainingRun) -> bool:
    """Cancel an unfinished run: a queued one at once; a running one ends within seconds."""
    now = clock.now()
    waiting = TrainingRun.objects.filter(pk=run.pk, status=RunStatus.QUEUED)
    running = TrainingRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING)
    with transaction.atomic():
        if waiting.update(status=RunStatus.CANCELLED, finished_at=now, cancel_requested_at=now):
            log(run, "cancelled before it began")
        elif not running.update(cancel_requested_at=now):
            return False
        record(Act.TRAINING_CANCELLED, run)
    return True


def is_cancelled(run: TrainingRun) -> bool:
    return leases.held(run).filter(cancel_requested_at__isnull=False).exists()


def died(run: TrainingRun, how: str) -> None:
    """Queue a held run again whose trainer died, or fail it after too many attempts."""
    if is_cancelled(run):
        finish(run, RunStatus.CANCELLED, "cancelled")
    elif run.attempts >= settings.MAX_ATTEMPTS:
        reason = f"The trainer died {run.attempts} times; the last time, it was {how}."
        finish(run, RunStatus.FAILED, reason, error=reason)
    else:
        release(run, f"the trainer died ({how}); the run resumes after its last finished epoch")


def release(run: TrainingRun, text: str, *, count_attempt: bool = True) -> None:
    """Queue a held run again, and log why."""
    if leases.release(run, count_attempt=count_attempt, step=0):
        log(run, text)
        wake_up()


def sweep() -> None:
    """Queue stuck runs again or fail them, and wake the worker for queued ones."""

    def lost(run: TrainingRun) -> None:
        died(run, "no longer responding")

    leases.sweep(TrainingRun.objects.filter(status=RunStatus.RUNNING), lost, lost)
    if TrainingRun.objects.filter(status=RunStatus.QUEUED).exists():
        wake_up()
