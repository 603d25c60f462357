"""What people say a digit truly is."""

from django.db import transaction
from django.db.models import Count, Q, Subquery
from django.utils import timezone

from digits.models import Correction, Digit, TrainingRun
from digits.models.training import RunStatus


def correct(digit: Digit, label: int | None, *, user=None, visitor: str = "") -> Correction:
    """Set a digit's true label, confirm it, or withdraw it; who said so and when is kept.

    Args:
        digit: the digit; its row is updated.
        label: 0 to 9, NOT_A_DIGIT, or None to withdraw.
        user, visitor: who says so.
    """
    now = timezone.now()
    with transaction.atomic():
        said = Correction.objects.create(
            digit=digit, label=label, user=user, visitor=visitor, created_at=now
        )
        digit.label, digit.labelled_at = label, now
        digit.save(update_fields=["label", "labelled_at"])
    return said


def new_corrections() -> int:
    """Count the digits that were corrected since what the last finished training learned from."""
    done = TrainingRun.objects.filter(status=RunStatus.DONE, data_until__isnull=False)
    last = done.order_by("-data_until").values("data_until")[:1]
    corrected = Digit.objects.filter(label__isnull=False, labelled_at__isnull=False)
    is_old = Q(labelled_at__lte=Subquery(last))
    return corrected.aggregate(new=Count("pk") - Count("pk", filter=is_old))["new"]
