"""Bulk jobs in responses and requests."""

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from digits.models import Batch
from digits.models.batches import BatchStatus


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
    error = serializers.SerializerMethodField(help_text="why it failed")
    page = serializers.SerializerMethodField(help_text="its page on the site")
    results = serializers.SerializerMethodField(help_text="where its results are as CSV")

    class Meta:
        model = Batch
        fields = [
            *("id", "page", "results", "name", "kind", "source", "status", "progress"),
            *("seconds_left", "total", "done", "bad", "labelled", "right", "accuracy"),
            *("confusion", "version", "error", "created_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields

    def get_seconds_left(self, batch: Batch) -> float | None:
        left = batch.time_left
        return None if left is None else round(left.total_seconds(), 1)

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
        help_text="one ZIP of images, CSV or IDX file, gzipped or not; or many images",
    )
    labels = serializers.FileField(
        required=False, help_text="the labels of an IDX file, which may also be a second file"
    )
