"""Model versions: everybody may see them, operators activate them."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from digits.accounts.permissions import ACTIVATE
from digits.api.auth import ForAll
from digits.api.pages import PagesByNumber
from digits.api.schema import LOCATION
from digits.api.serializers.models import ModelSerializer, OneModelSerializer
from digits.models import ModelVersion
from digits.versions import activations


class Models(generics.ListAPIView):
    permission_classes = [ForAll]
    serializer_class = ModelSerializer
    pagination_class = PagesByNumber
    queryset = ModelVersion.objects.all()

    @extend_schema(operation_id="list_models", summary="List model versions")
    def get(self, request: Request) -> Response:
        """The model versions, the newest first."""
        return super().get(request)


class OneModel(generics.RetrieveAPIView):
    permission_classes = [ForAll]
    serializer_class = OneModelSerializer
    queryset = ModelVersion.objects.all()
    lookup_field = "id"

    @extend_schema(operation_id="get_model", summary="Get a model version")
    def get(self, request: Request, id: int) -> Response:
        """One model version with its latest activation."""
        return super().get(request, id)


class Activate(generics.GenericAPIView):
    permission_classes, needs = [ForAll], ACTIVATE
    serializer_class = OneModelSerializer

    @extend_schema(
        operation_id="activate_model",
        summary="Activate a model version",
        parameters=[LOCATION],
        request=None,
        responses={202: OneModelSerializer},
    )
    def post(self, request: Request, id: int) -> Response:
        """Request the activation of a version (role operator). A worker tries it first.

        Location is the version, whose `activation` has the outcome.
        """
        version = get_object_or_404(ModelVersion, pk=id)
        activations.request(version, request.owner.user)
        place = request.build_absolute_uri(reverse("api:model", args=[version.pk]))
        return Response(self.get_serializer(version).data, 202, headers={"Location": place})
