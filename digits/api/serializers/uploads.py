"""Uploads and digits in responses and requests."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from digits.models import Digit, Upload
from digits.models.corrections import NOT_A_DIGIT
from digits.models.uploads import Status, Verdict
from worker.images import formats

LABEL_HELP = f"0 to 9, or {NOT_A_DIGIT}: not a digit"


def label_field(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=NOT_A_DIGIT, **options)


class BoxSerializer(serializers.Serializer):
    """Where a digit is in its upload, in pixels from the upper left."""

    x = serializers.IntegerField()
    y = serializers.IntegerField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()


class GuessSerializer(serializers.Serializer):
    """A label, and the probability that the model gave it."""

    label = label_field(help_text=LABEL_HELP)
    probability = serializers.FloatField()


class DigitSerializer(serializers.ModelSerializer):
    """One digit: how it was read, and how people labelled it.

    `top_k` of the context is the number of labels in `top`.
    """

    position = serializers.IntegerField(help_text="in reading order, from 0")
    box = BoxSerializer(source="*")
    read_as = label_field(
        source="read_as.label", read_only=True, allow_null=True, help_text=LABEL_HELP
    )
    confidence = serializers.FloatField(
        source="read_as.confidence", read_only=True, allow_null=True
    )
    version = serializers.IntegerField(
        source="read_as.version.number",
        read_only=True,
        allow_null=True,
        help_text="number of the version that read it",
    )
    label = label_field(
        read_only=True,
        allow_null=True,
        help_text=f"the label that people gave it: {LABEL_HELP}; null: none yet",
    )
    top = serializers.SerializerMethodField(help_text="the most probable labels")

    class Meta:
        model = Digit
        fields = [
            "id",
            "upload",
            "position",
            "box",
            "before",
            "after",
            "read_as",
            "confidence",
            "version",
            "label",
            "labelled_at",
            "top",
        ]
        read_only_fields = fields

    @extend_schema_field(GuessSerializer(many=True))
    def get_top(self, digit: Digit) -> list[dict[str, float]]:
        if digit.read_as is None:
            return []
        shares = enumerate([*digit.read_as.probabilities, digit.read_as.not_a_digit])
        best = sorted(shares, key=lambda one: -one[1])[: self.context["top_k"]]
        return [{"label": label, "probability": round(share, 6)} for label, share in best]


class UploadSerializer(serializers.ModelSerializer):
    """One image that was sent, and its reading."""

    reading = serializers.SerializerMethodField(
        help_text="its digits in reading order, with the marks between them, and a space for a wide"
        " gap and between two lines; null before it was read"
    )
    corrected_reading = serializers.SerializerMethodField(
        help_text="the reading as people corrected it; null where they changed nothing"
    )
    verdict = serializers.SerializerMethodField(help_text="what people made of its reading")
    error = serializers.SerializerMethodField(help_text="why it could not be read")
    confidence = serializers.FloatField(
        read_only=True, allow_null=True, help_text="of its least sure digit"
    )
    warnings = serializers.SerializerMethodField(
        help_text="what was left out or may be wrong: too_many (only the largest shapes were read),"
        " at_edge (a digit may be cut off), not_digits (something was left out),"
        " struck_out (a digit was, and was left out), raised (it may be a power),"
        " fraction (a line stands between two numbers, one above the other),"
        " maybe_slash (a 1 may be a slash), more_pages,"
        " moving (one frame of an animation was read),"
        " may_be_turned (it may lie on its head or on its side)"
    )
    page = serializers.SerializerMethodField(help_text="its page on the site")
    digits = DigitSerializer(many=True)

    class Meta:
        model = Upload
        fields = [
            "id",
            "page",
            "name",
            "source",
            "status",
            "reading",
            "corrected_reading",
            "verdict",
            "confidence",
            "warnings",
            "error",
            "width",
            "height",
            "created_at",
            "finished_at",
            "digits",
        ]
        read_only_fields = fields

    def get_reading(self, upload: Upload) -> str | None:
        return upload.reading if upload.status == Status.DONE else None

    def get_warnings(self, upload: Upload) -> list[str]:
        return upload.cautions.split()

    def get_corrected_reading(self, upload: Upload) -> str | None:
        return upload.corrected or None

    @extend_schema_field(serializers.ChoiceField(Verdict.choices, allow_null=True))
    def get_verdict(self, upload: Upload) -> str | None:
        return upload.verdict or None

    def get_error(self, upload: Upload) -> str | None:
        return upload.error or None

    @extend_schema_field(serializers.URLField())
    def get_page(self, upload: Upload) -> str:
        page: str = self.context["request"].build_absolute_uri(upload.get_absolute_url())
        return page


class UploadFileSerializer(serializers.Serializer):
    file = serializers.FileField(help_text=formats.NAMES)


class UploadDataSerializer(serializers.Serializer):
    file = serializers.CharField(
        help_text=f"a data: URL, such as data:image/png;base64,iVBORw0...: {formats.NAMES}"
    )


class CorrectionSerializer(serializers.Serializer):
    """Either the true label of a digit, or the confirmation that it was read right."""

    label = label_field(
        required=False, allow_null=True, help_text=f"{LABEL_HELP}; null: withdraw the label"
    )
    confirm = serializers.BooleanField(
        required=False, help_text="true: it was read right; then label is left out"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("label" in attrs) == bool(attrs.get("confirm")):
            raise serializers.ValidationError("Expected either label, or confirm to be true.")
        return attrs
