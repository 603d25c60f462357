"""`POST /mnist/classify`: one image in, one line of plain text out."""

import io
from dataclasses import dataclass
from typing import BinaryIO, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms import FileField
from django.http import Http404, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from digits import bodies
from digits.accounts import tokens
from digits.accounts.owners import OwnedRequest, Owner
from digits.accounts.permissions import MissingScope
from digits.forms import UploadForm, check_image
from digits.models import Upload
from digits.models.api import Scope
from digits.models.uploads import Source, Status
from digits.quotas import NotTaken
from digits.uploads.submission import submit_async
from digits.uploads.waiting import wait_until_finished

WAIT_SECONDS = 20
BRIEF = 64 * 1024  # bytes of a request that are read at once


@dataclass(frozen=True)
class Answer:
    """One line of plain text, and the status of a response."""

    text: str
    status: int


@csrf_exempt
@login_not_required
@require_POST
async def classify(request: OwnedRequest) -> HttpResponse:
    """Read the image in the multipart field `file`, or as the body, and wait for the answer.

    With a token, the upload belongs to its account. Cookies are ignored, so that other sites cannot
    add to a visitor's history.
    """
    try:
        owner = await _sender(request)
    except MissingScope as missing:
        return _text(str(missing), 403)
    if owner is None:
        response = _text("Send the header Authorization: Bearer, and a token of your account.", 401)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    try:
        file = _sent(request) if _is_brief(request) else await sync_to_async(_sent)(request)
        upload = await submit_async(file, owner, Source.API)
    except ValidationError as error:
        return _text(error.messages[0], 400)
    except NotTaken as refusal:
        response = _text(str(refusal), refusal.status)
        if refusal.seconds:
            response.headers["Retry-After"] = str(refusal.seconds)
        return response
    answer = await answer_for(upload)
    return _text(answer.text, answer.status)


async def answer_for(upload: Upload) -> Answer:
    """Wait until an upload is read, and return the answer to who sent it."""
    try:
        await wait_until_finished(upload, WAIT_SECONDS)
    except Http404:
        return Answer(f"Upload {upload.pk} was deleted before it was read.", 404)
    if not upload.is_finished:
        text = f"No answer yet: upload {upload.pk} is kept, and will be read when a worker is free."
        return Answer(text, 504)
    if upload.status == Status.FAILED:
        return Answer(upload.error, 422)
    if not upload.reading:
        found = await upload.digits.aexists()
        return Answer("Not a digit." if found else "No digit found in the image.", 422)
    return Answer(f"Predicted number for input image: {upload.reading}", 200)


def _is_brief(request: OwnedRequest) -> bool:
    """Return whether a request takes so little time to read that no thread is needed."""
    length = request.META.get("CONTENT_LENGTH") or ""
    return length.isdecimal() and int(length) <= BRIEF


def _sent(request: OwnedRequest) -> "UploadedFile[bytes]":
    """Return the image of a request, which may be stored."""
    kind = request.META.get("CONTENT_TYPE", "")
    return _checked(bodies.read(kind, cast(BinaryIO, request)))


def checked_file(boundary: bytes, form: bytes) -> "UploadedFile[bytes]":
    """Return the image of a form, read at once.

    boundary: what stands between its parts.

    Raises:
        BadRequest: it is no form.
        ValidationError: it has no image that may be stored.
    """
    return _checked(bodies.read_form(boundary, io.BytesIO(form)))


def _checked(sent: bodies.Sent) -> "UploadedFile[bytes]":
    """Return the image of what was sent, checked as the site's form does."""
    field = cast(FileField, UploadForm.base_fields[bodies.FIELD])
    return check_image(field.clean(sent.image(), None))


async def _sender(request: OwnedRequest) -> Owner | None:
    """Return the owner of the upload; None if the token is invalid, or missing but required.

    Raises:
        MissingScope: the token may not send images.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = await sync_to_async(tokens.find)(secret.strip())
        if token and Scope.WRITE not in token.scopes:
            raise MissingScope(Scope.WRITE)
        return Owner(token.user, None, request.owner.address, token.scopes) if token else None
    return request.owner if settings.ANONYMOUS else None


def _text(message: str, status: int) -> HttpResponse:
    return HttpResponse(message + "\n", status=status, content_type="text/plain; charset=utf-8")
