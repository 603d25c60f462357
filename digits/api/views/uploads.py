"""Uploads: sent, waited for, listed, deleted."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from digits.accounts.permissions import DELETE_UPLOADS
from digits.api.errors import refuse
from digits.api.parsers import OF_IMAGES, image_of
from digits.api.queries import TopQuery, UploadQuery, UploadsQuery, checked
from digits.api.retries import IDEMPOTENCY_KEY, once
from digits.api.schema import LOCATION, problems
from digits.api.serializers.uploads import (
    UploadDataSerializer,
    UploadFileSerializer,
    UploadSerializer,
)
from digits.forms import UploadForm
from digits.models import Digit, Upload
from digits.models.uploads import Source, UploadQuerySet
from digits.uploads.submission import Prepared
from digits.uploads.waiting import hold_until_finished


class WithDigits(generics.GenericAPIView):
    """Base of the views of uploads, which load them in three queries."""

    serializer_class = UploadSerializer

    def get_queryset(self) -> UploadQuerySet:
        digits = Digit.objects.defer("pixels").with_predictions()
        uploads = Upload.objects.visible_to(self.request.owner).defer("error_detail")
        return uploads.prefetch_related(Prefetch("digits", digits))

    def shown(self, pk: int, top_k: int, seconds: float = 0) -> UploadSerializer:
        """Wait for an upload, and return its serializer."""
        upload = get_object_or_404(Upload.objects.visible_to(self.request.owner), pk=pk)
        if seconds and not upload.is_finished:
            hold_until_finished(upload, seconds)
        return UploadSerializer(
            get_object_or_404(self.get_queryset(), pk=pk),
            context=self.get_serializer_context() | {"top_k": top_k},
        )


class Uploads(WithDigits, generics.ListAPIView):
    parser_classes = OF_IMAGES

    def filter_queryset(self, queryset: UploadQuerySet) -> UploadQuerySet:
        query = checked(UploadsQuery, self.request)
        if "status" in query:
            queryset = queryset.in_state(query["status"])
        return queryset.filter(source=query["source"]) if "source" in query else queryset

    def get_serializer_context(self) -> dict[str, Any]:
        context: dict[str, Any] = super().get_serializer_context()
        return context | {"top_k": checked(TopQuery, self.request)["top_k"]}

    @extend_schema(operation_id="list_uploads", summary="List uploads", parameters=[UploadsQuery])
    def get(self, request: Request) -> Response:
        """Your uploads, the newest first; as a reviewer, everybody's."""
        return super().get(request)

    @extend_schema(
        operation_id="create_upload",
        summary="Send an image",
        parameters=[UploadQuery, IDEMPOTENCY_KEY, LOCATION],
        request={
            "multipart/form-data": UploadFileSerializer,
            "application/json": UploadDataSerializer,
        },
        responses={201: UploadSerializer, 202: UploadSerializer} | problems(409, 422),
    )
    def post(self, request: Request) -> Response:
        """Send an image: 201 when it was read within `wait` seconds, else 202.

        Either way Location says where it is. An image that cannot be read has the status failed,
        and its error says why.

        Instead of a form, the body may be the image itself, with a Content-Type such as image/png.
        """
        query = checked(UploadQuery, request)
        form = UploadForm(None, MultiValueDict({"file": [image_of(request)]}))
        if not form.is_valid():
            refuse(form)
        upload = _made(request, form)
        shown = self.shown(upload.pk, query["top_k"], query["wait"])
        status = 201 if shown.instance.is_finished else 202
        place = reverse("api:upload", args=[upload.pk])
        return Response(shown.data, status, headers={"Location": request.build_absolute_uri(place)})


def _made(request: Request, form: UploadForm) -> Upload:
    file = form.cleaned_data["file"]

    def sent() -> Iterator[bytes]:
        yield file.name.encode()
        yield from file.chunks()
        file.seek(0)

    return once(request, sent(), "upload", lambda: Prepared(file, request.owner, Source.API))


class OneUpload(WithDigits):
    @extend_schema(
        operation_id="get_upload", summary="Get an upload, or wait for it", parameters=[UploadQuery]
    )
    def get(self, request: Request, id: int) -> Response:
        """One upload; `wait` holds the answer until it is read, at most so many seconds."""
        query = checked(UploadQuery, request)
        return Response(self.shown(id, query["top_k"], query["wait"]).data)

    @extend_schema(operation_id="delete_upload", summary="Delete an upload", responses={204: None})
    def delete(self, request: Request, id: int) -> Response:
        """Delete an upload with its files, its digits, and their predictions and corrections."""
        found = Upload.objects.visible_to(request.owner).filter(pk=id)
        request.owner.must_with(get_object_or_404(found), DELETE_UPLOADS)
        if not found.delete_with_files():
            raise Http404
        return Response(status=204)
