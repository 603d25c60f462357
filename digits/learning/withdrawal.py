"""Withdrawal of all that one person said, when it turns out to be wrong on purpose."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from digits.audit.trail import record
from digits.learning import trust, used
from digits.learning.corrections import update_verdict
from digits.models import Correction, Digit, ModelVersion, Prediction, Upload
from digits.models.audit import Act
from digits.queue import clock

AT_ONCE = 200  # digits, so that others who write wait little


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal did: how many corrections and digits, and which versions it marked."""

    corrections: int
    digits: int
    versions: list[ModelVersion]

    def __str__(self) -> str:
        names = ", ".join(map(str, self.versions))
        text = f"{self.corrections} withdrawn, {self.digits} digits are as they were before"
        return f"{text}, {names} marked" if names else text


def withdraw(user: User | None = None, visitor: str = "") -> Withdrawn:
    """Withdraw all corrections of an account or a browser session.

    They count no more from the first moment on. Digits go back to the newest correction that
    remains, or else to their reading; versions that were trained on what is withdrawn are marked.
    An account is not trusted any more. Doing it again does what was cut off.
    """
    if user is None and not visitor:
        raise ValueError("expected an account or a browser session, received neither")
    mine = Correction.objects.filter(user=user, visitor=visitor)
    about = f"account {user.pk} {user}" if user else f"browser session {visitor}"
    with transaction.atomic():
        if user:
            trust.take(user)
        counted = mine.filter(withdrawn_at=None)
        corrections = counted.update(withdrawn_at=clock.now(), is_current=False)
        versions = used.mark(used.person(user.pk if user else None, visitor))
        event = (
            f"{corrections} corrections; marked: {', '.join(map(str, versions)) or 'no version'}"
        )
        record(Act.CORRECTIONS_WITHDRAWN, about, event)
    said = mine.filter(withdrawn_at__isnull=False)
    keys = list(said.order_by("digit").values_list("digit", flat=True).distinct())
    groups = [keys[begin : begin + AT_ONCE] for begin in range(0, len(keys), AT_ONCE)]
    digits = sum(map(_put_back, groups))
    return Withdrawn(corrections, digits, versions)


def _put_back(keys: list[int]) -> int:
    """Label some digits by the corrections that remain; return how many labels changed."""
    with transaction.atomic():
        uploads = Digit.objects.filter(pk__in=keys).order_by("upload").values_list("upload")
        mine = Upload.objects.filter(pk__in={pk for (pk,) in uploads}).order_by("pk")
        list(mine.select_for_update().only("pk"))  # the last correction wins
        remaining = Correction.objects.filter(digit__in=keys, withdrawn_at=None).order_by("pk")
        newest = {correction.digit_id: correction for correction in remaining}
        changed = []
        for digit in Digit.objects.filter(pk__in=keys).defer("pixels"):
            correction = newest.get(digit.pk)
            label = correction.label if correction else None
            if digit.label != label:
                digit.label, digit.labelled_at = label, clock.now()
                changed.append(digit)
        Digit.objects.bulk_update(changed, ["label", "labelled_at"])
        current = [one.pk for one in newest.values() if one.label is not None]
        again = Correction.objects.filter(pk__in=current, is_current=False)
        again.update(is_current=True, counts_since=clock.now())
        free = [digit.pk for digit in changed if digit.label is None]
        Prediction.objects.filter(digit__in=free).update(to_review=True)
        others = [digit.pk for digit in changed if digit.label is not None]
        Prediction.objects.filter(digit__in=others).update(to_review=False)
        for upload in Upload.objects.filter(digits__in=changed).distinct():
            update_verdict(upload)
    return len(changed)
