"""The history: it is searched, downloaded and cleaned up."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import DELETE_UPLOADS, READ_AGAIN
from digits.models import ModelVersion, Upload
from digits.models.uploads import UploadQuerySet
from digits.uploads import rereading
from digits.uploads.exports import uploads_as_csv
from digits.uploads.history import Filter, Pages
from digits.views.fragments import page_or_part


@require_safe
def history(request: OwnedRequest) -> HttpResponse:
    """Show the owner's uploads, newest first, filtered by the query string."""
    form = Filter(request.GET)
    parts = form.parts_of(Upload.objects.visible_to(request.owner))
    pages = Pages(parts, request.GET.get("page"))
    page = pages.here()
    context = {
        "form": form,
        "page": page,
        "pages": pages.around(page),
        "live": any(not upload.is_finished for upload in page),
        "versions": ModelVersion.objects.only("number") if request.owner.may(READ_AGAIN) else (),
    }
    response = page_or_part(request, "digits/history.html", "digits/_history.html", context)
    response.status_code = 200 if form.is_valid() else 400
    return response


@require_safe
def download(request: OwnedRequest) -> HttpResponseBase:
    """Download the filtered uploads as CSV."""
    form = Filter(request.GET)
    found = form.apply_to(Upload.objects.visible_to(request.owner))
    if not form.is_valid():
        return redirect(_back(request.GET.urlencode()))
    name = f"digits-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        uploads_as_csv(found),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


@require_POST
def delete(request: OwnedRequest) -> HttpResponse:
    """Delete the chosen uploads after a confirmation."""
    chosen = _chosen(request)
    back = request.POST.get("back", "")
    if not chosen:
        messages.warning(request, "Select the uploads to delete first.")
        return redirect(_back(back))
    for upload in chosen:
        request.owner.must_with(upload, DELETE_UPLOADS)
    if "sure" not in request.POST:
        return render(request, "digits/delete_uploads.html", {"chosen": chosen, "back": back})
    deleted = chosen.delete_with_files()
    messages.success(request, f"{deleted} upload{pluralize(deleted, ' was,s were')} deleted.")
    return redirect(_back(back))


@require_POST
def read_again(request: OwnedRequest) -> HttpResponse:
    """Request that a version reads the chosen uploads again."""
    request.owner.must(READ_AGAIN)
    number = request.POST.get("version", "")
    known = number.isdecimal() and len(number) < 10
    version = ModelVersion.objects.filter(number=number).first() if known else None
    chosen = _chosen(request)
    if not chosen or version is None:
        messages.warning(request, "Select the uploads to read again first.")
    else:
        asked = rereading.ask(chosen, version, request.owner.user)
        text = f"{asked} upload{pluralize(asked, ' is,s are')} read again by {version}."
        messages.success(request, text)
    return redirect(_back(request.POST.get("back", "")))


def _chosen(request: OwnedRequest) -> UploadQuerySet:
    """Return the uploads in the form that the owner may see."""
    keys = {int(key) for key in request.POST.getlist("upload") if key.isdecimal() and len(key) < 19}
    return Upload.objects.visible_to(request.owner).filter(pk__in=keys)


def _back(query: str) -> str:
    """Return the address of the history with this query."""
    return f"{reverse('history')}?{query}" if query else reverse("history")
