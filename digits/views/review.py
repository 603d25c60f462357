"""The review page, which shows unsure readings one by one."""

from django.core.exceptions import BadRequest
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import CORRECT
from digits.learning import review as queue
from digits.learning.corrections import correct_as
from digits.models import Digit, Prediction
from digits.models.corrections import LABELS
from digits.views.corrections import chosen
from digits.views.fragments import page_or_part


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: OwnedRequest) -> HttpResponse:
    """Show the next prediction to review; a POST labels a digit, or withdraws its label.

    ?after=PREDICTION: the last one shown; ?said=DIGIT: the last one labelled, to undo that;
    ?digit=DIGIT: the one to show.
    """
    if request.method == "POST":
        return _answered(request)
    rows = queue.unsure(request.owner).select_related("version", "digit__upload")
    wanted, passed = _number(request.GET, "digit"), _number(request.GET, "after")
    shown = rows.filter(digit=wanted).first() if wanted else None
    if shown is None:
        before = Prediction.objects.filter(pk=passed).first() if passed else None
        shown = queue.following(rows, before)
    left = queue.count(rows)
    context = {
        "shown": shown,
        "digit": shown and shown.digit,
        "around": shown and queue.surroundings(shown.digit),
        "left": min(left, queue.COUNTED),
        "more": left > queue.COUNTED,
        "labels": LABELS,
        "said": _last(request),
    }
    return page_or_part(request, "digits/review.html", "digits/_review.html", context)


def _answered(request: OwnedRequest) -> HttpResponse:
    digits = Digit.objects.visible_to(request.owner).select_related("upload")
    digit = get_object_or_404(digits, pk=_number(request.POST, "digit"))
    request.owner.must_with(digit.upload, CORRECT)
    label = chosen(request)
    correct_as(request.owner, digit, label)
    passed = _number(request.POST, "shown")
    if label is None:
        return _on(digit=digit.pk)
    return _on(after=passed, said=digit.pk)


def _on(**query: int | None) -> HttpResponse:
    given = {name: value for name, value in query.items() if value}
    return redirect(f"{reverse('review')}?{urlencode(given)}")


def _last(request: OwnedRequest) -> Digit | None:
    """Return the digit that was labelled last; None if its label was withdrawn."""
    pk = _number(request.GET, "said")
    digits = Digit.objects.visible_to(request.owner).filter(label__isnull=False)
    return digits.filter(pk=pk).first() if pk else None


def _number(fields: QueryDict, name: str) -> int | None:
    """Return the number of a row; None if the field is empty.

    Raises:
        BadRequest: it is not a number.
    """
    text = fields.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f'Expected {name} to be the number of a row, received "{text[:40]}".')
    return int(text)
