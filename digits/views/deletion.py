"""Deletion of an upload, after a question."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import DELETE_UPLOADS
from digits.models import Upload


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: OwnedRequest, pk: int) -> HttpResponse:
    """Ask whether to delete an upload; a POST deletes it with its files, digits and corrections."""
    rows = Upload.objects.visible_to(request.owner).filter(pk=pk)
    upload = get_object_or_404(rows)
    request.owner.must_with(upload, DELETE_UPLOADS)
    if request.method != "POST":
        return render(request, "digits/delete.html", {"upload": upload})
    rows.delete_with_files()
    messages.success(request, f"{upload.name or f'Upload {pk}'} was deleted.")
    return redirect("history")
