"""Trust: whose corrections trainings learn from, and are judged by.

A correction keeps whose word it is from when it was made, so that it outlives the account. The mark
of an account, which staff gives and takes, changes that of all its corrections.
"""

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from digits.audit.trail import record
from digits.learning import runs
from digits.models import Correction, TrustedAccount
from digits.models.audit import Act
from digits.models.corrections import Trust
from digits.queue import clock

# Others' word is learned from if TRAIN_ON says so, but no version is judged by it.
JUDGES = (Trust.STAFF, Trust.TRUSTED, Trust.EARLIER)


def of(user: User | None) -> Trust:
    """Return whose word a correction is that somebody makes now; without an account, a visitor."""
    if user is None:
        return Trust.VISITOR
    if user.is_staff:
        return Trust.STAFF
    return Trust.TRUSTED if is_trusted(user) else Trust.ACCOUNT


def is_trusted(user: User) -> bool:
    """Return whether an account has the mark."""
    return TrustedAccount.objects.filter(user=user).exists()


def give(user: User) -> None:
    """Trust an account: what it has said and will say counts, but for what is withdrawn."""
    with transaction.atomic():
        _, is_new = TrustedAccount.objects.get_or_create(user=user)
        said = Correction.objects.filter(user=user, trust__in=[Trust.ACCOUNT, Trust.EARLIER])
        said.update(trust=Trust.TRUSTED, counts_since=clock.now())
        if is_new:
            record(Act.TRUST_GIVEN, f"account {user.pk} {user}")
            transaction.on_commit(runs.ask_if_enough_is_new, robust=True)


def take(user: User) -> None:
    """Trust an account no longer: what it has said counts as any account's."""
    with transaction.atomic():
        taken, _ = TrustedAccount.objects.filter(user=user).delete()
        said = Correction.objects.filter(user=user, trust__in=[Trust.TRUSTED, Trust.EARLIER])
        said.update(trust=Trust.ACCOUNT)
        if taken:
            record(Act.TRUST_TAKEN, f"account {user.pk} {user}")


def waiting() -> QuerySet[Correction]:
    """Return the labels that wait for staff to accept them, the newest first.

    Trainings do not learn from them.
    """
    others = [trust for trust in Trust.values if trust not in settings.TRAIN_ON]
    return Correction.objects.filter(is_current=True, trust__in=others).order_by("-pk")
