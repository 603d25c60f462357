"""Corrections that trainings do not learn from until staff accepts them, and accounts to trust."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from digits.accounts.owners import SignedInRequest
from digits.accounts.permissions import CORRECT, SEE_CORRECTIONS, TRUST
from digits.formats import number_up_to
from digits.learning import trust
from digits.learning.corrections import correct_as
from digits.models import Prediction, TrustedAccount
from digits.models.corrections import LABELS
from digits.views.allowed import needs
from digits.views.corrections import chosen

PAGE_SIZE = 20
TRUSTED_SHOWN = 100
COUNTED = 1000  # then "more than"


@needs(SEE_CORRECTIONS)
@require_http_methods(["GET", "HEAD", "POST"])
def waiting(request: SignedInRequest) -> HttpResponse:
    """Show labels that wait for staff; a POST with `digit` and `label` is staff's own word."""
    rows = trust.waiting().select_related("user__trusted", "digit__upload")
    if request.method == "POST":
        request.owner.must(CORRECT)
        number = request.POST.get("digit", "")
        is_number = number.isascii() and number.isdigit() and len(number) < 19
        correction = get_object_or_404(rows, digit=int(number) if is_number else 0)
        correct_as(request.owner, correction.digit, chosen(request))
        return redirect("review-corrections")
    shown = list(rows[:PAGE_SIZE])
    left = rows.order_by()[: COUNTED + 1].count()
    digits = [correction.digit_id for correction in shown]
    predictions = Prediction.objects.filter(digit__in=digits).order_by("-pk")
    read_as = {prediction.digit_id: prediction for prediction in predictions}  # the first one
    context = {
        "rows": [(row, read_as.get(row.digit_id)) for row in shown],
        "left": number_up_to(left, COUNTED),
        "labels": LABELS,
        "trusted": TrustedAccount.objects.select_related("user").order_by("-since")[:TRUSTED_SHOWN],
    }
    return render(request, "digits/review_corrections.html", context)


@needs(TRUST)
@require_POST
def trust_account(request: SignedInRequest, pk: int) -> HttpResponse:
    """Trust an account (`trusted`: 1), or trust it no more (0)."""
    user = get_object_or_404(User, pk=pk)
    if request.POST.get("trusted") == "1":
        trust.give(user)
        messages.success(request, f"{user} is trusted: trainings learn from their corrections.")
    else:
        trust.take(user)
        messages.success(request, f"{user} is not trusted any more.")
    return redirect("review-corrections")
