"""Training runs: everybody may see them, trainers request and cancel them."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from digits.accounts.permissions import ACTIVATE, RETRAIN
from digits.api.auth import ForAll
from digits.api.errors import Conflict, refuse
from digits.api.schema import LOCATION, problems
from digits.api.serializers.training import (
    OneTrainingRunSerializer,
    RetrainSerializer,
    TrainingRunSerializer,
)
from digits.forms import RetrainForm
from digits.learning import runs
from digits.models import TrainingRun


class TrainingRuns(generics.ListAPIView):
    permission_classes, needs = [ForAll], RETRAIN
    serializer_class = TrainingRunSerializer
    queryset = TrainingRun.objects.defer("curves", "data", "error_detail")

    @extend_schema(operation_id="list_training_runs", summary="List training runs")
    def get(self, request: Request) -> Response:
        """The training runs, the newest first."""
        return super().get(request)

    @extend_schema(
        operation_id="create_training_run",
        summary="Request a training",
        parameters=[LOCATION],
        request=RetrainSerializer,
        responses={201: OneTrainingRunSerializer} | problems(409),
    )
    def post(self, request: Request) -> Response:
        """Request a training (role trainer). One runs at a time: 409 while one is unfinished."""
        asked = RetrainSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        if wanted.setdefault("activate_if_better", request.owner.may(ACTIVATE)):
            request.owner.must(ACTIVATE)
        form = RetrainForm(wanted, request.owner)
        if not form.is_valid():
            refuse(form)
        try:
            run = form.save(request.owner.user)
        except runs.AlreadyRunning as error:
            raise Conflict(f"{error}."[:1].upper() + f"{error}."[1:]) from error
        place = request.build_absolute_uri(reverse("api:training-run", args=[run.pk]))
        return Response(OneTrainingRunSerializer(run).data, 201, headers={"Location": place})


class OneTrainingRun(generics.RetrieveAPIView):
    permission_classes = [ForAll]
    serializer_class = OneTrainingRunSerializer
    queryset = TrainingRun.objects.all()
    lookup_field = "id"

    @extend_schema(operation_id="get_training_run", summary="Get a training run")
    def get(self, request: Request, id: int) -> Response:
        """One training run, with the figures of its epochs and its log."""
        return super().get(request, id)


class CancelTrainingRun(generics.GenericAPIView):
    permission_classes, needs = [ForAll], RETRAIN
    serializer_class = OneTrainingRunSerializer

    @extend_schema(
        operation_id="cancel_training_run",
        summary="Cancel a training run",
        request=None,
        responses={202: OneTrainingRunSerializer} | problems(409),
    )
    def post(self, request: Request, id: int) -> Response:
        """Cancel a training run (role trainer); its worker stops within seconds.

        409: it had ended.
        """
        run = get_object_or_404(TrainingRun, pk=id)
        if not runs.cancel(run):
            raise Conflict("The training run had ended already.")
        run.refresh_from_db()
        return Response(self.get_serializer(run).data, 202)
