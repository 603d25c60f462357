"""Bulk jobs: sent, watched, their results downloaded, cancelled, deleted."""

from collections.abc import Iterator

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from digits.accounts.permissions import CHANGE_BATCHES, DELETE_BATCHES
from digits.api.errors import Conflict
from digits.api.queries import ResultsQuery, checked
from digits.api.retries import IDEMPOTENCY_KEY, once
from digits.api.schema import LOCATION, problems
from digits.api.serializers.batches import BatchFilesSerializer, BatchSerializer
from digits.batches import parts, submission
from digits.batches.results import download
from digits.batches.wishes import FIELDS, from_fields
from digits.models import Batch
from digits.models.batches import BatchQuerySet
from digits.models.uploads import Source
from worker.files.plans import BulkError


class CsvRenderer(JSONRenderer):
    """A renderer for views that stream CSV themselves; it renders only their problems."""

    media_type, format = "text/csv", "csv"


class Mine(generics.GenericAPIView):
    serializer_class = BatchSerializer

    def get_queryset(self) -> BatchQuerySet:
        mine = Batch.objects.visible_to(self.request.owner)
        return mine.select_related("version").defer("error_detail", "version__metrics")


class Batches(Mine, generics.ListAPIView):
    parser_classes = [MultiPartParser]

    @extend_schema(operation_id="list_batches", summary="List bulk jobs")
    def get(self, request: Request) -> Response:
        """Your bulk jobs, the newest first; as a reviewer, everybody's."""
        return super().get(request)

    @extend_schema(
        operation_id="create_batch",
        summary="Send a bulk job",
        parameters=[IDEMPOTENCY_KEY, LOCATION],
        request={"multipart/form-data": BatchFilesSerializer},
        responses={201: BatchSerializer} | problems(409, 422),
    )
    def post(self, request: Request) -> Response:
        """Send a bulk job: a ZIP of images, a CSV, IDX, NPY or NPZ file, or many files.

        It is read in the background; Location says where to look. A CSV has 784 pixels a row, 0
        paper to 255 ink, and may begin each with its label and all with a header, as Kaggle's
        `train.csv` and `test.csv`. Of others `layout` says what was assumed; what cannot be decided
        is refused with the field that decides it.
        """
        batch = _made(request)
        place = request.build_absolute_uri(reverse("api:batch", args=[batch.pk]))
        shown = get_object_or_404(self.get_queryset(), pk=batch.pk)
        return Response(self.get_serializer(shown).data, 201, headers={"Location": place})


def _made(request: Request) -> Batch:
    files, labels = request.FILES.getlist("file"), request.FILES.get("labels")
    said = [f"{name}={request.data.get(name) or ''}" for name in FIELDS if request.data.get(name)]

    def sent() -> Iterator[bytes]:
        for file in [*files, *([labels] if labels else [])]:
            yield file.name.encode()
            yield from file.chunks()
        yield from (one.encode() for one in said)

    try:
        return once(
            request,
            sent(),
            "batch",
            lambda: submission.Prepared(
                files, request.owner, Source.API, labels, from_fields(request.data)
            ),
        )
    except BulkError as error:
        raise ValidationError({error.option or "file": str(error)}) from error


class OneBatch(Mine, generics.RetrieveDestroyAPIView):
    lookup_field = "id"

    @extend_schema(operation_id="get_batch", summary="Get a bulk job")
    def get(self, request: Request, id: int) -> Response:
        """One bulk job, with its progress."""
        return super().get(request, id)

    @extend_schema(operation_id="delete_batch", summary="Delete a bulk job", responses={204: None})
    def delete(self, request: Request, id: int) -> Response:
        """Delete a bulk job, with its file and its results; nothing more of it is read."""
        batch = self.get_object()
        request.owner.must_with(batch, DELETE_BATCHES)
        batch.delete()
        return Response(status=204)


class CancelBatch(Mine):
    lookup_field = "id"

    @extend_schema(
        operation_id="cancel_batch",
        summary="Cancel a bulk job",
        request=None,
        responses={200: BatchSerializer} | problems(409),
    )
    def post(self, request: Request, id: int) -> Response:
        """Cancel a bulk job; what was read before stays. 409: it had ended."""
        batch = self.get_object()
        request.owner.must_with(batch, CHANGE_BATCHES)
        if not parts.cancel(batch):
            raise Conflict("The bulk job had ended already.")
        batch.refresh_from_db()
        return Response(self.get_serializer(batch).data)


class BatchResults(Mine):
    lookup_field = "id"
    renderer_classes = [CsvRenderer]

    @extend_schema(
        operation_id="get_batch_results",
        summary="Download the results of a bulk job",
        parameters=[ResultsQuery],
        responses={(200, "text/csv"): OpenApiTypes.STR} | problems(409),
    )
    def get(self, request: Request, id: int) -> Response:
        """The results as CSV: `ImageId,Label`, as Kaggle wants them, or with `confidences` all
        fields of each item. 409: it has not ended yet."""
        query, batch = checked(ResultsQuery, request), self.get_object()
        if not batch.is_finished:
            raise Conflict("The bulk job has not ended yet.")
        return download(batch, confidences=query["confidences"])
