"""The review queue: unsure readings that nobody labelled yet, the least sure first."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from digits.accounts.owners import Owner
from digits.models import Digit, ModelVersion, Prediction, Upload

UNSURE_BELOW = 0.98  # what is surer is "very sure", and not worth a person's look
FEW = 1000  # uploads
COUNTED = 1000  # then "more than": counting on would look at every row
AROUND = 2.5  # how many times its size is shown on each side of a digit


def unsure(owner: Owner) -> QuerySet[Prediction]:
    """Give the predictions that an owner may review, the least sure first, one for each digit.

    It is the active version's; where that said nothing of a digit, the newest. Digits are of
    finished uploads only.
    """
    of_digit = Prediction.objects.filter(digit=OuterRef("digit"))
    active = ModelVersion.active()
    counts = Q(~Exists(of_digit.filter(pk__gt=OuterRef("pk"))))
    if active:
        counts = Q(version=active) | (~Exists(of_digit.filter(version=active)) & counts)
    rows = Prediction.objects.filter(
        counts, to_review=True, confidence__lt=UNSURE_BELOW, digit__label=None
    )
    if not owner.is_staff:
        rows = rows.filter(_belongs_to(owner))
    return rows.order_by("confidence", "pk")


def _belongs_to(owner: Owner) -> Q:
    """The condition that a prediction is of an owner's upload.

    Who sent few is asked for them and what is in them; who sent many, for the first that is theirs
    of all the unsure ones. The other way round, either would take long.
    """
    sent = Upload.objects.sent_by(owner)
    if sent[: FEW + 1].count() <= FEW:
        return Q(digit__in=Digit.objects.filter(upload__in=sent))
    return Q(Exists(sent.filter(pk=OuterRef("digit__upload"))))


def following(rows: QuerySet[Prediction], passed: Prediction | None) -> Prediction | None:
    """Give the first row behind one that was answered or skipped; after the last, the first."""
    if passed is None:
        return rows.first()
    least = passed.confidence
    behind = Q(confidence__gt=least) | Q(confidence=least, pk__gt=passed.pk)
    return rows.filter(behind, confidence__gte=least).first() or rows.first()


def count(rows: QuerySet[Prediction]) -> int:
    """Count rows, up to one more than COUNTED."""
    return rows.order_by()[: COUNTED + 1].count()


def surroundings(digit: Digit) -> tuple[int, int, int, int]:
    """Give the part of the picture around a digit that shows it among its neighbours: a box."""
    margin = round(AROUND * max(digit.width, digit.height))
    left, top = max(0, digit.x - margin), max(0, digit.y - margin)
    whole = digit.upload.width or 0, digit.upload.height or 0
    right = min(whole[0], digit.x + digit.width + margin)
    bottom = min(whole[1], digit.y + digit.height + margin)
    return left, top, right - left, bottom - top
