"""Activations: requests to make a version the active one, which a classify worker carries out.

As with uploads, the rows are the queue, and a Celery message is only a wake-up; see
digits.tasks.activation for the worker. Activations are carried out one by one, the oldest first.
"""

import time
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from digits.audit.actors import on_behalf_of
from digits.audit.trail import record
from digits.models import Activation, ModelVersion
from digits.models.audit import Act
from digits.queue import leases, wake_ups

TASK = "digits.activate"
POLL_SECONDS = 0.2
RECENT = 20
QUEUED, DONE, REFUSED = Activation.Status.QUEUED, Activation.Status.DONE, Activation.Status.REFUSED


def request(version: ModelVersion, user: User | None = None) -> Activation:
    """Request the activation of a version, unless it is the last request and still waits."""
    with transaction.atomic():
        newest = Activation.objects.filter(status=QUEUED).first()
        if newest and newest.version_id == version.pk:
            activation = newest
        else:
            activation = Activation.objects.create(version=version, requested_by=user)
            record(Act.ACTIVATION_REQUESTED, version, by=on_behalf_of(user))
        wake_ups.send_after_commit(TASK, force=True)
    return activation


def rollback_target() -> ModelVersion | None:
    """Return the version that was active before the current one; None if there was none."""
    active = ModelVersion.active()
    if active is None:
        return None
    done = Activation.objects.filter(status=DONE).select_related("version")
    if before := done.exclude(version=active).first():
        return before.version
    # An installation's first version became active with its registration.
    first = ModelVersion.objects.order_by("number").first()
    return first if first != active else None


def wait_for(activation: Activation, seconds: float) -> bool:
    """Wait until an activation has ended, and load its state. Return False if it has not ended."""
    deadline = time.monotonic() + seconds
    while activation.status == QUEUED:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
        activation.refresh_from_db()
    return True


@dataclass(frozen=True)
class Progress:
    """The waiting activations, oldest first, and the latest one, from one query."""

    waiting: list[Activation]
    latest: Activation | None

    @property
    def state(self) -> str:
        """A text that changes with the progress, so that pages can compare it."""
        return f"{self.latest.pk if self.latest else 0}-{len(self.waiting)}"


def progress() -> Progress:
    recent = list(Activation.objects.select_related("version")[:RECENT])
    waiting = [activation for activation in reversed(recent) if activation.status == QUEUED]
    return Progress(waiting, recent[0] if recent else None)


def are_waiting() -> bool:
    """Return whether any waits that nobody holds."""
    return Activation.objects.filter(status=QUEUED, lease__isnull=True).exists()


def claim() -> Activation | None:
    """Claim the oldest waiting activation under a lease.

    Return None if there is none, or if another process holds it and will carry out the next ones.
    """
    oldest = Activation.objects.filter(status=QUEUED).last()
    if oldest is None:
        return None
    free = Activation.objects.filter(pk=oldest.pk, status=QUEUED)
    claimed = leases.claim(free, related=("version",))
    return next(iter(claimed), None)


def complete(activation: Activation) -> bool:
    """Activate the version of a claimed activation. Return False if its lease was lost."""
    with transaction.atomic():
        ours = leases.finish(activation, status=DONE) == 1
        if ours:
            version = ModelVersion.objects.filter(pk=activation.version_id)
            ModelVersion.objects.filter(is_active=True).update(is_active=False)
            version.update(is_active=True)
            by = on_behalf_of(activation.requested_by)
            record(Act.VERSION_ACTIVATED, activation.version, by=by)
    return ours


def refuse(activation: Activation, reason: str) -> bool:
    """Refuse a claimed activation. Return False if its lease was lost."""
    return leases.finish(activation, status=REFUSED, reason=reason[:500]) == 1


def sweep() -> None:
    """Refuse activations that were tried too often, and wake the workers for waiting ones."""
    leases.sweep(Activation.objects.filter(status=QUEUED), _give_up)
    if are_waiting():
        wake_ups.send(TASK, force=True)


def _give_up(activation: Activation) -> None:
    refuse(activation, f"the worker stopped {activation.attempts} times while trying it")
