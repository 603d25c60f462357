"""Bulk jobs in responses and requests."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from digits.batches.wishes import LONGEST, for_people
from digits.models import Batch
from digits.models.batches import BatchStatus


class LayoutSerializer(serializers.Serializer):
    """How the rows of a file are read, and what of that was assumed."""

    label_column = serializers.IntegerField(
        allow_null=True, help_text="of a CSV, from 1; null where no column is a label"
    )
    left_out = serializers.ListField(
        child=serializers.IntegerField(), help_text="other columns that are no pixels, from 1"
    )
    has_header = serializers.BooleanField(help_text="whether the first line of a CSV has names")
    scale = serializers.ListField(
        child=serializers.FloatField(), help_text="the lowest and the highest value of a pixel"
    )
    invert = serializers.BooleanField(help_text="whether the highest value is paper")
    transpose = serializers.BooleanField(help_text="whether pixels stand column by column")
    assumptions = serializers.ListField(
        child=serializers.CharField(), help_text="what was assumed, in sentences"
    )


class BatchSerializer(serializers.ModelSerializer):
    """One bulk job."""

    status = serializers.ChoiceField(BatchStatus.choices)
    kind = serializers.ChoiceField(Batch.Kind.choices)
    progress = serializers.FloatField(source="share_done", help_text="from 0 to 1")
    seconds_left = serializers.SerializerMethodField(help_text="null before it can be estimated")
    version = serializers.IntegerField(
        source="version.number",
        read_only=True,
        allow_null=True,
        help_text="number of the version that reads it; null before one does",
    )
    accuracy = serializers.FloatField(
        allow_null=True, help_text="of what was read; null where the file has no labels"
    )
    confusion = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="11 rows for the labels, 11 columns for what was read, the last of each for"
        " not a digit; empty where the file has no labels, and before the end",
    )
    layout = serializers.SerializerMethodField(
        help_text="how its rows are read; null for jobs from before 0.3.0"
    )
    error = serializers.SerializerMethodField(help_text="why it failed")
    page = serializers.SerializerMethodField(help_text="its page on the site")
    results = serializers.SerializerMethodField(help_text="where its results are as CSV")

    class Meta:
        model = Batch
        fields = [
            *("id", "page", "results", "name", "kind", "source", "status", "progress"),
            *("seconds_left", "total", "done", "bad", "labelled", "right", "accuracy"),
            *("unlabelled", "layout"),
            *("confusion", "version", "error", "created_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields

    def get_seconds_left(self, batch: Batch) -> float | None:
        left = batch.time_left
        return None if left is None else round(left.total_seconds(), 1)

    @extend_schema_field(LayoutSerializer(allow_null=True))
    def get_layout(self, batch: Batch) -> dict[str, Any] | None:
        return for_people(batch.layout, batch.labelled)

    def get_error(self, batch: Batch) -> str | None:
        return batch.error or None

    @extend_schema_field(serializers.URLField())
    def get_page(self, batch: Batch) -> str:
        page: str = self.context["request"].build_absolute_uri(batch.get_absolute_url())
        return page

    @extend_schema_field(serializers.URLField())
    def get_results(self, batch: Batch) -> str:
        place = reverse("api:batch-results", args=[batch.pk])
        address: str = self.context["request"].build_absolute_uri(place)
        return address


class BatchFilesSerializer(serializers.Serializer):
    file = serializers.ListField(
        child=serializers.FileField(),
        help_text="one ZIP of images, CSV, IDX, NPY or NPZ file, packed or not; or many images",
    )
    labels = serializers.FileField(
        required=False, help_text="the labels of an IDX file, which may also be a second file"
    )
    label_column = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST,
        help_text="of a CSV: first, last, none, a name, or a number from 1; blank to decide. Of a"
        " ZIP: none where the names of folders are no labels",
    )
    invert = serializers.BooleanField(
        required=False, allow_null=True, help_text="whether high values are paper; blank to decide"
    )
    transpose = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="whether pixels stand column by column, as EMNIST has them; blank to decide",
    )
    scale = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=LONGEST,
        help_text="the value of full ink, as 255, or of paper and full ink, as -1..1; blank to"
        " decide",
    )
