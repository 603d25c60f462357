"""Turn a picture, and read it again: it is sent once more, as a person says that it lies."""

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_POST

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import Forbidden
from digits.forms import UploadForm
from digits.models import Upload
from digits.quotas import NotTaken
from digits.views.site import content_of

TURNS = ("0", "90", "180", "270")


@require_POST
def turn(request: OwnedRequest, pk: int) -> HttpResponse:
    """Send an upload's picture again, to be read after a turn (`degrees`: clockwise, from 0).

    The first reading stays, with its corrections.
    """
    upload = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    if not request.owner.sent(upload):
        raise Forbidden("Only who sent a picture may have it turned.")
    degrees = request.POST.get("degrees", "")
    if degrees not in TURNS:
        known = ", ".join(TURNS)
        raise BadRequest(f'Expected degrees to be one of {known}, received "{degrees[:40]}".')
    file = SimpleUploadedFile(upload.name or "picture", content_of(upload))
    form = UploadForm({}, MultiValueDict({"file": [file]}))
    if not form.is_valid():
        raise BadRequest(str(form.errors["file"][0]))
    try:
        return redirect(form.save(request.owner, upload.source, int(degrees)))
    except NotTaken as refusal:
        messages.error(request, str(refusal))
        return redirect(upload)
