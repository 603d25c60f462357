"""The page of an upload, and its files."""

from pathlib import PurePath
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.templatetags.static import static
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import CORRECT, DELETE_UPLOADS, READ_AGAIN
from digits.models import Digit, Upload
from digits.models.corrections import LABELS
from digits.models.uploads import PREVIEW_SIDE
from digits.pictures import previews
from digits.pictures.boxes import boxes_of
from digits.pictures.pixels import png
from digits.uploads import rereading
from digits.uploads.lines import corrected_reading, reading_in_lines
from digits.uploads.waiting import bounded, hold_until_finished
from digits.views.fragments import kept, page_or_part
from worker.images.decoding import decode
from worker.images.errors import ImageError

# What the start page shows of an upload: one in its panel, or each of several as a tile.
PARTS = {"panel": "digits/_panel.html", "tile": "digits/_live_tile.html"}
GONE = "the file is gone from the storage"


@require_safe
def upload(request: OwnedRequest, pk: int) -> HttpResponse:
    """Show an upload, or the part of its page that changes. ?wait=SECONDS waits for the reading."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    part = PARTS.get(request.GET.get("part", ""), "digits/_result.html")
    context = result_context(request, mine)
    if request.owner.may(READ_AGAIN) and context["digits"]:
        context["again"] = rereading.standing(mine, context["digits"])
    return page_or_part(request, "digits/upload.html", part, context)


def result_context(request: OwnedRequest, upload: Upload) -> dict[str, Any]:
    """Return the template variables for an upload, after the wait that the request asks for."""
    seconds, held = _seconds(request), True
    if seconds and not upload.is_finished:
        held = hold_until_finished(upload, seconds)
    digits = list(upload.digits.with_predictions())
    return {
        "upload": upload,
        "digits": digits,
        "boxes": boxes_of(upload, digits),
        "labels": LABELS,
        "corrected": corrected_reading(upload, digits),
        "again_after": "150ms" if held else "2s",
        "may_correct": request.owner.may_with(upload, CORRECT),
        "may_turn": request.owner.sent(upload),
        "may_delete": request.owner.may_with(upload, DELETE_UPLOADS),
    }


@require_GET
def preview(request: OwnedRequest, pk: int) -> HttpResponseBase:
    """Return the preview of an upload; that of a small picture is made from its file."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    if mine.preview or not mine.has_picture:
        return _file(mine.preview, content_type="image/webp")
    try:
        picture = decode(content_of(mine), PREVIEW_SIDE**2)
    except ImageError as error:
        raise Http404(GONE) from error
    return kept(HttpResponse(previews.webp(picture.image), content_type="image/webp"))


@require_GET
def original(request: OwnedRequest, pk: int) -> FileResponse:
    """Return the file as it was sent, always as a download."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    return _file(
        mine.file,
        content_type="application/octet-stream",
        as_attachment=True,
        filename=mine.name or f"upload-{mine.pk}",
    )


@require_GET
def reading_text(request: OwnedRequest, pk: int) -> HttpResponse:
    """Return the reading, with corrections, as a text file with the lines of the picture."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    if not mine.is_finished:
        raise Http404("it is not read yet")
    text = reading_in_lines(mine, list(mine.digits.with_predictions()))
    name = f"{PurePath(mine.name).stem or f'upload-{pk}'}.txt"
    answer = HttpResponse(text + "\n", content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = content_disposition_header(True, name)
    return answer


@login_not_required
@require_GET
def favicon(request: OwnedRequest) -> HttpResponse:
    """Redirect to the icon, for pages that do not name it, as those of Django's admin."""
    return redirect(static("digits/favicon.svg"))


@require_GET
def digit_pixels(request: OwnedRequest, pk: int) -> HttpResponse:
    """Return a digit's 28x28 pixels, as the model sees them, as a PNG."""
    digit = get_object_or_404(Digit.objects.visible_to(request.owner), pk=pk)
    return kept(HttpResponse(png(bytes(digit.pixels)), content_type="image/png"))


def _seconds(request: OwnedRequest) -> float:
    try:
        return bounded(float(request.GET.get("wait", 0)))
    except ValueError:
        return 0


def _file(stored: FieldFile, **options: Any) -> FileResponse:
    if not stored:
        raise Http404("no such file")
    try:
        return kept(FileResponse(stored.open("rb"), **options))
    except FileNotFoundError as error:
        raise Http404(GONE) from error


def content_of(upload: Upload) -> bytes:
    """Return the content of an upload's file.

    Raises:
        Http404: it is gone from the storage.
    """
    try:
        with upload.file.open("rb") as file:
            content: bytes = file.read()
            return content
    except FileNotFoundError as error:
        raise Http404(GONE) from error
