"""The review queue: unsure readings without a label, the least sure first."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from digits.accounts.owners import Owner
from digits.accounts.permissions import CORRECT
from digits.models import Digit, ModelVersion, Prediction, Upload
from digits.models.uploads import sent_by

UNSURE_BELOW = 0.98  # what is surer is "very sure", and not worth a person's look
COUNTED = 100  # then "more than": each one that is counted takes four look-ups
AROUND = 2.5  # how many times its size is shown on each side of a digit


def unsure(owner: Owner) -> QuerySet[Prediction]:
    """Return the predictions that an owner may review, the least sure first, one for each digit.

    It is that of the active version; if there is none, the newest. Only digits of finished
    uploads are included.
    """
    of_digit = Prediction.objects.filter(digit=OuterRef("digit"))
    active = ModelVersion.active()
    counts = Q(~Exists(of_digit.filter(pk__gt=OuterRef("pk"))))
    if active:
        counts = Q(version=active) | (~Exists(of_digit.filter(version=active)) & counts)
    rows = Prediction.objects.filter(
        counts, to_review=True, confidence__lt=UNSURE_BELOW, digit__label=None
    )
    if not (owner.sees_all(Upload) and owner.may(CORRECT)):
        rows = rows.filter(_belongs_to(owner))
    return rows.order_by("confidence", "pk")


def _belongs_to(owner: Owner) -> Q:
    """Return the condition that a prediction belongs to an owner's upload."""
    sent = Upload.objects.sent_by(owner)
    if sent.are_few():
        return Q(digit__in=Digit.objects.filter(upload__in=sent))
    return Q(sent_by(owner, "digit__upload"))


def following(rows: QuerySet[Prediction], passed: Prediction | None) -> Prediction | None:
    """Return the row after one that was answered or skipped; after the last, the first."""
    if passed is None:
        return rows.first()
    least = passed.confidence
    behind = Q(confidence__gt=least) | Q(confidence=least, pk__gt=passed.pk)
    return rows.filter(behind, confidence__gte=least).first() or rows.first()


def count(rows: QuerySet[Prediction]) -> int:
    """Return the number of rows, at most COUNTED + 1."""
    return rows.order_by()[: COUNTED + 1].count()


def surroundings(digit: Digit) -> tuple[int, int, int, int]:
    """Return the box of the picture that shows a digit among its neighbours."""
    margin = round(AROUND * max(digit.width, digit.height))
    left, top = max(0, digit.x - margin), max(0, digit.y - margin)
    whole = digit.upload.width or 0, digit.upload.height or 0
    right = min(whole[0], digit.x + digit.width + margin)
    bottom = min(whole[1], digit.y + digit.height + margin)
    return left, top, right - left, bottom - top
