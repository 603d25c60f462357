"""The pages of the model versions, and their activation."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import ACTIVATE, SEE_CORRECTIONS
from digits.formats import number_up_to
from digits.models import ModelVersion, Prediction
from digits.models.counting import count_each
from digits.versions import activations, comparison, reports
from digits.views import training
from digits.views.fragments import page_or_part

PAGE_SIZE = 20
ACTIVATIONS_SHOWN = 20
COUNTED = 1000  # predictions of a version; then "more than"


@require_safe
def models(request: OwnedRequest) -> HttpResponse:
    """Show the versions, newest first, and the latest activation."""
    progress = activations.progress()
    if request.htmx and request.GET.get("seen") == progress.state:
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    page = Paginator(ModelVersion.objects.all(), PAGE_SIZE).get_page(request.GET.get("page"))
    count_predictions(page)
    context = {
        "page": page,
        "progress": progress,
        "active": ModelVersion.active(),
        "rollback_target": activations.rollback_target(),
    }
    if not request.htmx:
        context |= training.runs_context() | {"timelines": comparison.timelines()}
    return page_or_part(request, "digits/models.html", "digits/_models.html", context)


@require_safe
def version(request: OwnedRequest, pk: int) -> HttpResponse:
    """Show a version: its facts, its report and its activations."""
    shown = get_object_or_404(ModelVersion.objects.select_related("parent"), pk=pk)
    count_predictions([shown])
    context = {
        "version": shown,
        "children": shown.modelversion_set.order_by("number"),
        "activations": shown.activations.select_related("requested_by")[:ACTIVATIONS_SHOWN],
        "facts": reports.facts(shown),
        "evaluation": reports.evaluation(shown),
        "report": reports.report(shown, with_corrections=request.owner.may(SEE_CORRECTIONS)),
    }
    return render(request, "digits/version.html", context)


@require_safe
def compare(request: OwnedRequest) -> HttpResponse:
    """Show two versions side by side: `?a=` and `?b=` are their numbers."""
    versions = list(ModelVersion.objects.only("number", "note", "is_active"))
    active = next((one for one in versions if one.is_active), versions[0] if versions else None)
    others = [one for one in versions if one != active]
    context: dict[str, Any] = {"versions": versions}
    if active and others:
        first = _numbered(versions, request.GET.get("a"), others[0])
        second = _numbered(versions, request.GET.get("b"), active)
        context |= {"a": first, "b": second, **comparison.compare(first, second, request.owner)}
    return render(request, "digits/compare.html", context)


def _numbered(
    versions: list[ModelVersion], number: str | None, otherwise: ModelVersion
) -> ModelVersion:
    if number is None:
        return otherwise
    found = next((one for one in versions if str(one.number) == number), None)
    if found is None:
        raise Http404("no such version")
    return found


@require_POST
def activate(request: OwnedRequest, pk: int) -> HttpResponse:
    """Request the activation of a version; a rollback is the same for the version before."""
    request.owner.must(ACTIVATE)
    wanted = get_object_or_404(ModelVersion, pk=pk)
    activations.request(wanted, request.owner.user)
    messages.info(request, f"The activation of version {wanted.number} was requested.")
    return redirect("models")


def count_predictions(versions: Collection[ModelVersion]) -> None:
    """Set `prediction_count` of each version, as text; no more than COUNTED are counted."""
    of_one = Prediction.objects.filter(version=0)
    counts = count_each(of_one, [(version.pk,) for version in versions], COUNTED)
    for version, count in zip(versions, counts, strict=True):
        version.prediction_count = number_up_to(count, COUNTED)
