"""What people say a digit truly is."""

from django.db import transaction
from django.utils import timezone

from digits import runs
from digits.models import Correction, Digit


def correct(digit: Digit, label: int | None, *, user=None, visitor: str = "") -> Correction:
    """Set a digit's true label, confirm it, or withdraw it; who said so and when is kept.

    Args:
        digit: the digit; its row is updated.
        label: 0 to 9, NOT_A_DIGIT, or None to withdraw.
        user, visitor: who says so.
    """
    with transaction.atomic():
        Digit.objects.select_for_update().only("pk").get(pk=digit.pk)  # the last one to say wins
        now = timezone.now()
        said = Correction.objects.create(
            digit=digit, label=label, user=user, visitor=visitor, created_at=now
        )
        digit.label, digit.labelled_at = label, now
        digit.save(update_fields=["label", "labelled_at"])
        transaction.on_commit(runs.ask_if_enough_is_new, robust=True)
    return said
