"""Read an upload again with another version."""

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from digits.accounts.owners import OwnedRequest
from digits.accounts.permissions import READ_AGAIN
from digits.models import ModelVersion, Upload
from digits.uploads import rereading


@require_POST
def read_again(request: OwnedRequest, pk: int) -> HttpResponse:
    """Request that a version (`version`: its number) reads an upload again."""
    request.owner.must(READ_AGAIN)
    upload = get_object_or_404(Upload.objects.visible_to(request.owner), pk=pk)
    number = request.POST.get("version", "")
    known = {str(one): one for one in ModelVersion.objects.values_list("number", flat=True)}
    if number not in known:
        raise BadRequest(
            f'Expected version to be one of {", ".join(known)}, received "{number[:40]}".'
        )
    version = ModelVersion.objects.get(number=known[number])
    rereading.ask(Upload.objects.filter(pk=upload.pk), version, request.owner.user)
    return redirect(upload)
