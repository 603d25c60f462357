"""Corrections of digits by people."""

from django.contrib.auth.models import User
from django.db import transaction

from digits.accounts.owners import Owner
from digits.learning import runs, trust
from digits.models import Correction, Digit, Upload
from digits.models.uploads import LONGEST_READING, Verdict
from digits.monitoring import tallies
from digits.queue import clock
from digits.uploads.lines import corrected_reading


def correct(
    digit: Digit, label: int | None, *, user: User | None = None, visitor: str = ""
) -> Correction:
    """Set a digit's true label, confirm it, or withdraw it; keep who did so and when.

    Args:
        digit: the digit; its row and its upload's are updated.
        label: 0 to 9, NOT_A_DIGIT, or None to withdraw.
        user, visitor: who corrects it.
    """
    with transaction.atomic():
        # The last correction wins.
        Upload.objects.select_for_update().only("pk").get(pk=digit.upload_id)
        now = clock.now()
        digit.corrections.filter(is_current=True).update(is_current=False)
        correction = Correction.objects.create(
            digit=digit,
            label=label,
            user=user,
            visitor=visitor,
            created_at=now,
            counts_since=now,
            trust=trust.of(user),
            is_current=label is not None,
        )
        digit.label, digit.labelled_at = label, now
        digit.save(update_fields=["label", "labelled_at"])
        digit.predictions.update(to_review=label is None)
        update_verdict(digit.upload)
        transaction.on_commit(runs.ask_if_enough_is_new, robust=True)
    return correction


def update_verdict(upload: Upload) -> None:
    """Update an upload's corrected reading and verdict."""
    digits = list(upload.digits.defer("pixels").with_predictions())
    upload.corrected = corrected_reading(upload, digits)[:LONGEST_READING]
    if upload.corrected:
        upload.verdict = Verdict.CORRECTED
    else:
        confirmed = any(digit.label is not None for digit in digits)
        upload.verdict = Verdict.CONFIRMED if confirmed else ""
    upload.save(update_fields=["corrected", "verdict"])
    tallies.touch(upload)


def correct_as(owner: Owner, digit: Digit, label: int | None) -> None:
    """Correct a digit as its owner; do nothing if there is no label to withdraw."""
    if label is not None or digit.label is not None:
        correct(digit, label, **owner.fields())
