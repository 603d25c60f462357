"""The pages that people use."""

from collections import defaultdict

from django.conf import settings
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from digits import rereading
from digits.forms import UploadForm
from digits.lines import corrected_reading
from digits.models import Digit, Upload
from digits.models.corrections import LABELS
from digits.models.uploads import Status
from digits.pixels import png
from digits.views.fragments import page_or_part
from digits.waiting import bounded, hold_until_finished

PAGE_SIZE = 24


@require_http_methods(["GET", "HEAD", "POST"])
def index(request):
    """The start page; a POST sends an image."""
    form = UploadForm()
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            return redirect(form.save(request.owner))
    recent = Upload.objects.sent_by(request.owner)[:6]
    context = {
        "form": form,
        "recent": recent,
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 1024**2,
        "max_megapixels": settings.MAX_PIXELS // 1_000_000,
    }
    return render(request, "digits/index.html", context, status=400 if form.errors else 200)


@require_safe
def upload(request, pk: int):
    """One upload's page, or the part of it that changes. ?wait=SECONDS holds the answer."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    seconds, held = _seconds(request), True
    if seconds and not mine.is_finished:
        held = hold_until_finished(mine, seconds)
    digits = list(mine.digits.with_predictions())
    context = {
        "upload": mine,
        "digits": digits,
        "labels": LABELS,
        "corrected": corrected_reading(mine, digits),
        "again_after": "150ms" if held else "2s",
    }
    if request.owner.is_staff and digits:
        context["again"] = rereading.standing(mine, digits)
    return page_or_part(request, "digits/upload.html", "digits/_result.html", context)


@require_safe
def history(request):
    """The owner's uploads, newest first, by state and page."""
    uploads = Upload.objects.visible_to(request.owner).defer("error_detail")
    state = request.GET.get("state", "")
    if state:
        if state not in Status.values:
            raise Http404(f"expected a state of {Status.values}")
        uploads = uploads.filter(status=state)
    page = Paginator(uploads, PAGE_SIZE).get_page(request.GET.get("page"))
    _show_corrections(page.object_list)
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "state": state,
        "states": Status.choices,
        "live": any(not upload.is_finished for upload in page),
    }
    return page_or_part(request, "digits/history.html", "digits/_history.html", context)


def _show_corrections(uploads):
    """Give each upload its reading as people corrected it, where they did."""
    digits = Digit.objects.filter(upload__in=[upload.pk for upload in uploads])
    touched = digits.filter(label__isnull=False).values("upload")
    found = defaultdict(list)
    for digit in digits.filter(upload__in=touched).defer("pixels").with_predictions():
        found[digit.upload_id].append(digit)
    for upload in uploads:
        upload.corrected = corrected_reading(upload, found[upload.pk])


@require_GET
def preview(request, pk: int):
    """The small picture of an upload that was read."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    return _file(mine.preview, content_type="image/webp")


@require_GET
def original(request, pk: int):
    """The file as it was sent: always a download, never shown by the browser."""
    mine = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    return _file(
        mine.file,
        content_type="application/octet-stream",
        as_attachment=True,
        filename=mine.name or f"upload-{mine.pk}",
    )


@require_GET
def digit_pixels(request, pk: int):
    """A digit's 28x28 pixels, as the model saw them, as PNG."""
    digit = get_object_or_404(Digit.objects.visible_to(request.owner), pk=pk)
    return _kept(HttpResponse(png(digit.pixels), content_type="image/png"))


def _seconds(request) -> float:
    try:
        return bounded(float(request.GET.get("wait", 0)))
    except ValueError:
        return 0


def _file(stored, **options):
    if not stored:
        raise Http404("no such file")
    try:
        return _kept(FileResponse(stored.open("rb"), **options))
    except FileNotFoundError as error:
        raise Http404("the file is gone from the storage") from error


def _kept(response):
    """What is stored under a number never changes: browsers may keep it."""
    response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response
