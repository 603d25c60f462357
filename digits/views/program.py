"""`POST /mnist/classify`: one image in, one line of plain text out."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from digits.accounts import tokens
from digits.accounts.owners import OwnedRequest, Owner
from digits.forms import UploadForm
from digits.models.uploads import Source, Status
from digits.uploads.waiting import wait_until_finished

WAIT_SECONDS = 20
BRIEF = 64 * 1024  # bytes of a request that are read at once


@csrf_exempt
@login_not_required
@require_POST
async def classify(request: OwnedRequest) -> HttpResponse:
    """Read the image in the multipart field `file`, and wait for the answer.

    With a token, the upload belongs to its account. Cookies are ignored, so that other sites cannot
    add to a visitor's history.
    """
    owner = await _sender(request)
    if owner is None:
        answer = _text("Send the header Authorization: Bearer, and a token of your account.", 401)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    form = _form(request) if _is_brief(request) else await sync_to_async(_form)(request)
    if not form.is_valid():
        return _text(str(form.errors["file"][0]), 400)
    upload = await form.save_async(owner, source=Source.API)
    try:
        await wait_until_finished(upload, WAIT_SECONDS)
    except Http404:
        return _text(f"Upload {upload.pk} was deleted before it was read.", 404)
    if not upload.is_finished:
        return _text(
            f"No answer yet: upload {upload.pk} is kept, and will be read when a worker is free.",
            504,
        )
    if upload.status == Status.FAILED:
        return _text(upload.error, 422)
    if not upload.reading:
        found = await upload.digits.aexists()
        return _text("Not a digit." if found else "No digit found in the image.", 422)
    return _text(f"Predicted number for input image: {upload.reading}", 200)


def _is_brief(request: OwnedRequest) -> bool:
    """Return whether a request takes so little time to read that no thread is needed."""
    return int(request.META.get("CONTENT_LENGTH") or 0) <= BRIEF


def _form(request: OwnedRequest) -> UploadForm:
    form = UploadForm(request.POST, request.FILES)
    form.is_valid()
    return form


async def _sender(request: OwnedRequest) -> Owner | None:
    """Return the owner of the upload; None if the token is invalid, or missing but required."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = await sync_to_async(tokens.find)(secret.strip())
        return Owner(token.user, {}) if token else None
    return Owner(None, {}) if settings.ANONYMOUS else None


def _text(message: str, status: int) -> HttpResponse:
    return HttpResponse(message + "\n", status=status, content_type="text/plain; charset=utf-8")
