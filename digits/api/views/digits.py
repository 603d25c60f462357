"""Digits: reviewed and corrected."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from digits.accounts.permissions import CORRECT
from digits.api.errors import Conflict
from digits.api.pages import Pages
from digits.api.queries import DigitsQuery, TopQuery, checked
from digits.api.schema import problems
from digits.api.serializers.uploads import CorrectionSerializer, DigitSerializer
from digits.learning import corrections, review
from digits.models import Digit
from digits.models.api import Scope
from digits.models.uploads import DigitQuerySet


class DigitPages(Pages):
    """Pages of digits: the newest first, or for review the least sure first."""

    def paginate_queryset(
        self, queryset: QuerySet[Digit], request: Request, view: APIView | None = None
    ) -> list[Any]:
        if not checked(DigitsQuery, request)["review"]:
            return super().paginate_queryset(queryset, request, view)
        self.ordering = ("confidence", "pk")
        page = super().paginate_queryset(review.unsure(request.owner), request, view)
        found = queryset.in_bulk([prediction.digit_id for prediction in page])
        return [found[prediction.digit_id] for prediction in page if prediction.digit_id in found]


class Digits(generics.ListAPIView):
    serializer_class = DigitSerializer
    pagination_class = DigitPages

    def get_queryset(self) -> DigitQuerySet:
        return Digit.objects.listed_for(self.request.owner).defer("pixels").with_predictions()

    def get_serializer_context(self) -> dict[str, Any]:
        context: dict[str, Any] = super().get_serializer_context()
        return context | checked(TopQuery, self.request)

    @extend_schema(
        operation_id="list_digits",
        summary="List digits, or what to review",
        parameters=[DigitsQuery],
    )
    def get(self, request: Request) -> Response:
        """The digits of your uploads; with `review=1` those to review."""
        return super().get(request)


class OneDigit(generics.GenericAPIView):
    scope = Scope.CORRECT
    serializer_class = DigitSerializer

    def shown(self, id: int) -> Response:
        digits = Digit.objects.visible_to(self.request.owner).with_predictions()
        context = self.get_serializer_context() | checked(TopQuery, self.request)
        return Response(DigitSerializer(get_object_or_404(digits, pk=id), context=context).data)

    @extend_schema(operation_id="get_digit", summary="Get a digit", parameters=[TopQuery])
    def get(self, request: Request, id: int) -> Response:
        """One digit, with its reading and its label."""
        return self.shown(id)

    @extend_schema(
        operation_id="correct_digit",
        summary="Correct a digit",
        parameters=[TopQuery],
        request=CorrectionSerializer,
        responses={200: DigitSerializer} | problems(409),
    )
    def patch(self, request: Request, id: int) -> Response:
        """Label a digit, confirm that it was read right, or withdraw its label."""
        checked(TopQuery, request)
        digits = Digit.objects.visible_to(request.owner).select_related("upload")
        digit = get_object_or_404(digits, pk=id)
        request.owner.must_with(digit.upload, CORRECT)
        received = CorrectionSerializer(data=request.data)
        received.is_valid(raise_exception=True)
        corrections.correct_as(request.owner, digit, _label(digit, received.validated_data))
        return self.shown(id)


def _label(digit: Digit, received: dict[str, Any]) -> int | None:
    if not received.get("confirm"):
        label: int | None = received["label"]
        return label
    if digit.read_as is None:
        raise Conflict("No version has read this digit, so there is nothing to confirm.")
    return digit.read_as.label
