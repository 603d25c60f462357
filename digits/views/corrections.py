"""Corrections of digits on the pages."""

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import CORRECT
from digits.learning.corrections import correct_as
from digits.models import Digit
from digits.models.corrections import LABELS
from digits.uploads.lines import corrected_reading

CHOICES = {str(value): value for value, _ in LABELS} | {"": None}


@require_POST
def label(request: OwnedRequest, pk: int) -> HttpResponse:
    """Set a digit's true label (`label`: 0 to 9, 10 for "not a digit"), or withdraw it (empty)."""
    digits = Digit.objects.visible_to(request.owner).select_related("upload")
    digit = get_object_or_404(digits, pk=pk)
    request.owner.must_with(digit.upload, CORRECT)
    correct_as(request.owner, digit, chosen(request))
    if not request.htmx:
        return redirect(f"{digit.upload.get_absolute_url()}#digit-{digit.pk}")
    every = list(digit.upload.digits.with_predictions())
    context = {
        "upload": digit.upload,
        "digit": next(one for one in every if one.pk == digit.pk),
        "labels": LABELS,
        "may_correct": True,
        "corrected": corrected_reading(digit.upload, every),
    }
    return render(request, "digits/_labelled.html", context)


def chosen(request: OwnedRequest) -> int | None:
    """Return the label in a request; None withdraws it.

    Raises:
        BadRequest: the label is missing or invalid.
    """
    text = request.POST.get("label")
    if text not in CHOICES:
        received = "nothing" if text is None else f'"{text[:40]}"'
        raise BadRequest(
            'Expected the field label to be 0 to 9, 10 for "not a digit", or empty to withdraw'
            f" the label; received {received}."
        )
    return CHOICES[text]
