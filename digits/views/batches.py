"""Bulk jobs: they are sent, watched, downloaded, cancelled and deleted."""

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import CHANGE_BATCHES, DELETE_BATCHES
from digits.batches import parts as jobs
from digits.batches import submission, wishes
from digits.batches.results import download
from digits.models import Batch
from digits.models.batches import BATCH_UNFINISHED
from digits.quotas import NotTaken
from digits.versions.reports import CLASSES, heat_map
from digits.views.fragments import page_or_part
from worker.files.plans import BulkError

PAGE_SIZE = 20
SHOWN = 10  # rows on the page of a batch


@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: OwnedRequest) -> HttpResponse:
    """Show the owner's bulk jobs, newest first; a POST sends another."""
    refused = asks = ""
    if request.method == "POST":
        try:
            files, said = request.FILES.getlist("file"), wishes.from_fields(request.POST)
            return redirect(submission.submit(files, request.owner, wishes=said, ask=True))
        except (BulkError, NotTaken) as error:
            refused, asks = str(error), getattr(error, "option", "")
    found = Batch.objects.visible_to(request.owner).defer("error_detail", "confusion")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "refused": refused,
        "asks": asks,
        "said": {name: request.POST.get(name, "") for name in wishes.FIELDS},
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "live": any(batch.status in BATCH_UNFINISHED for batch in page),
        "limits": jobs.limits(),
        "max_megabytes": settings.MAX_BATCH_BYTES // 1024**2,
        "max_files": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
    }
    response = page_or_part(request, "digits/batches.html", "digits/_batches.html", context)
    if refused:
        response.status_code = 400
    return response


@require_safe
def batch(request: OwnedRequest, pk: int) -> HttpResponse:
    """Show a bulk job; the page updates itself while it runs."""
    mine = _mine(request, pk)
    context = {
        "batch": mine,
        "rows": list(mine.items.all()[:SHOWN]),
        "bad_rows": list(mine.items.exclude(error="")[:SHOWN]) if mine.bad else [],
        "confusion": heat_map(mine.confusion),
        "classes": CLASSES,
        "shown": SHOWN,
        "may_cancel": request.owner.may_with(mine, CHANGE_BATCHES),
        "may_delete": request.owner.may_with(mine, DELETE_BATCHES),
    }
    return page_or_part(request, "digits/batch.html", "digits/_batch.html", context)


@require_GET
def results(request: OwnedRequest, pk: int) -> HttpResponseBase:
    """Download the results as CSV: for Kaggle, or with ?confidences=1 with all fields."""
    mine = _mine(request, pk)
    if not mine.is_finished:
        messages.warning(request, "The results can be downloaded when the job has ended.")
        return redirect(mine)
    return download(mine, confidences=request.GET.get("confidences") == "1")


@require_POST
def confirm(request: OwnedRequest, pk: int) -> HttpResponse:
    """Let a bulk job be read as was assumed of its file."""
    mine = _mine(request, pk)
    request.owner.must_with(mine, CHANGE_BATCHES)
    try:
        if not submission.confirm(mine):
            messages.warning(request, "The job was confirmed already.")
    except NotTaken as error:
        messages.error(request, str(error))
    return redirect(mine)


@require_POST
def cancel(request: OwnedRequest, pk: int) -> HttpResponse:
    """Cancel a bulk job; its items stay."""
    mine = _mine(request, pk)
    request.owner.must_with(mine, CHANGE_BATCHES)
    if jobs.cancel(mine):
        messages.success(request, "The job was cancelled. What was read before can be downloaded.")
    else:
        messages.warning(request, "The job had ended already.")
    return redirect(mine)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: OwnedRequest, pk: int) -> HttpResponse:
    """Ask whether to delete a bulk job; a POST deletes it with its file and its results."""
    mine = _mine(request, pk)
    request.owner.must_with(mine, DELETE_BATCHES)
    if request.method != "POST":
        return render(request, "digits/delete_batch.html", {"batch": mine})
    mine.delete()
    messages.success(request, f"{mine.name or f'Bulk job {pk}'} was deleted.")
    return redirect("batches")


def _mine(request: OwnedRequest, pk: int) -> Batch:
    rows = Batch.objects.visible_to(request.owner).select_related("version")
    return get_object_or_404(rows, pk=pk)
