"""Query parameters, as fields of serializers that check and describe them."""

import math
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from digits.models.uploads import Source, Status
from digits.uploads.waiting import LONGEST_WAIT


class Seconds(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class WaitQuery(serializers.Serializer):
    wait = Seconds(
        min_value=0,
        max_value=LONGEST_WAIT,
        default=0,
        help_text="How many seconds to wait for the reading.",
    )


class TopQuery(serializers.Serializer):
    top_k = serializers.IntegerField(
        min_value=1,
        max_value=11,
        default=3,
        help_text="How many labels to return for each digit, the most probable first.",
    )


class UploadQuery(WaitQuery, TopQuery):
    pass


class UploadsQuery(TopQuery):
    status = serializers.ChoiceField(Status.choices, required=False)
    source = serializers.ChoiceField(Source.choices, required=False)


class DigitsQuery(TopQuery):
    review = serializers.BooleanField(
        default=False,
        help_text="1: only what the active version is unsure of and nobody labelled yet, the least"
        " sure first.",
    )


class ResultsQuery(serializers.Serializer):
    confidences = serializers.BooleanField(
        default=False,
        help_text="1: number, name, reading, confidence, ten probabilities, label and error of"
        " each, instead of ImageId,Label.",
    )


def checked(query: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """Return the query parameters of a request, checked and with their defaults.

    Raises:
        ValidationError: a parameter is invalid.
    """
    received = query(data=request.query_params)
    received.is_valid(raise_exception=True)
    parameters: dict[str, Any] = received.validated_data
    return parameters
