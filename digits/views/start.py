"""The start page, where images are sent and their readings appear."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from digits.accounts.owners import OwnedRequest
from digits.forms import UploadForm
from digits.models import Upload
from digits.models.uploads import Source
from digits.pictures import examples
from digits.quotas import NotTaken
from digits.views.fragments import kept
from digits.views.site import PARTS, result_context
from worker.images import formats

RECENT = 6


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: OwnedRequest) -> HttpResponse:
    """Show the start page; a POST sends one image or several."""
    if request.method != "POST":
        return _page(request)
    return _answer(request, *_receive(request, request.FILES.getlist("file") or [None]))


@require_POST
def read_example(request: OwnedRequest) -> HttpResponse:
    """Send an example (`example`: its name) as a file of the visitor."""
    name = request.POST.get("example", "")
    if name not in examples.EXAMPLES:
        known = ", ".join(examples.EXAMPLES)
        raise BadRequest(f'Expected example to be one of {known}, received "{name[:40]}".')
    file = SimpleUploadedFile(f"{name}.png", examples.png(name))
    return _answer(request, *_receive(request, [file]))


@require_GET
def example(request: OwnedRequest, name: str) -> HttpResponse:
    """Return the picture of an example."""
    if name not in examples.EXAMPLES:
        raise Http404(f"expected one of {list(examples.EXAMPLES)}")
    return kept(HttpResponse(examples.png(name), content_type="image/png"), seconds=86400)


def _receive(
    request: OwnedRequest, files: Sequence[UploadedFile[bytes] | None]
) -> tuple[list[Upload], list[tuple[str, str]]]:
    """Store the valid files. Return their uploads, and the names of the others with the reasons."""
    sent: list[Upload] = []
    refused: list[tuple[str, str]] = []
    drawn = request.POST.get("source") == Source.DRAWING
    for file in files:
        form = UploadForm(request.POST, MultiValueDict({"file": [file]} if file else {}))
        name = (file.name if file else "") or ""
        if not form.is_valid():
            refused.append((name, str(form.errors["file"][0])))
            continue
        try:
            source = Source.DRAWING if drawn else Source.FILE
            sent.append(form.save(request.owner, source=source))
        except NotTaken as refusal:
            refused.append((name, str(refusal)))
    if drawn and sent:
        _forget_unfinished_drawing(request)
    return sent, refused


def _forget_unfinished_drawing(request: OwnedRequest) -> None:
    """Delete the drawing that the sent one continues (`replaces`), unless it was corrected."""
    number = request.POST.get("replaces", "")
    if number.isdecimal() and len(number) < 19:
        mine = Upload.objects.sent_by(request.owner).filter(pk=number, source=Source.DRAWING)
        mine.exclude(digits__label__isnull=False).delete_with_files()


def _answer(
    request: OwnedRequest, sent: list[Upload], refused: list[tuple[str, str]]
) -> HttpResponse:
    """Return the readings for htmx; else redirect to the page that shows them."""
    status = 200 if sent else 400
    if request.htmx:
        part = PARTS.get(request.POST.get("part", ""), PARTS["panel"])
        shown = [render_to_string(part, result_context(request, one), request) for one in sent]
        refusals = render_to_string("digits/_refused.html", {"refused": refused}, request)
        headers = {"Cache-Control": "no-store"}
        return HttpResponse("".join([*shown, refusals]), status=status, headers=headers)
    if not sent:
        return _page(request, refused)
    for name, reason in refused:
        messages.error(request, f"{name}: {reason}")
    if len(sent) == 1 and not refused:
        return redirect(sent[0])
    many = f"{len(sent)} images were" if len(sent) > 1 else "1 image was"
    messages.success(request, f"{many} sent.")
    return redirect("history")


def _page(request: OwnedRequest, refused: Sequence[tuple[str, str]] = ()) -> HttpResponse:
    context = {
        "refused": refused,
        "examples": examples.EXAMPLES.items(),
        "formats": formats.NAMES,
        "accept": formats.ACCEPT,
        "recent": Upload.objects.sent_by(request.owner)[:RECENT],
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 1024**2,
        "max_megapixels": settings.MAX_PIXELS // 1_000_000,
    }
    return render(request, "digits/index.html", context, status=400 if refused else 200)
