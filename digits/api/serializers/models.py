"""Model versions and their activations in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from digits.models import Activation, ModelVersion


class ActivationSerializer(serializers.ModelSerializer):
    """A requested activation of a version and its outcome."""

    class Meta:
        model = Activation
        fields = ["id", "status", "reason", "created_at", "finished_at"]
        read_only_fields = fields


class ModelSerializer(serializers.ModelSerializer):
    """One model version."""

    parent = serializers.IntegerField(
        source="parent_id",
        allow_null=True,
        read_only=True,
        help_text="id of the version that it was tuned from",
    )
    mnist_accuracy = serializers.FloatField(
        allow_null=True,
        read_only=True,
        help_text="share of MNIST's test images whose most probable digit is right",
    )

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "number",
            "architecture",
            "is_active",
            "mnist_accuracy",
            "parent",
            "note",
            "sha256",
            "created_at",
        ]
        read_only_fields = fields


class OneModelSerializer(ModelSerializer):
    """One model version with its latest activation."""

    activation = serializers.SerializerMethodField(help_text="the latest; null where there is none")

    class Meta(ModelSerializer.Meta):
        fields = [*ModelSerializer.Meta.fields, "activation"]
        read_only_fields = fields

    @extend_schema_field(ActivationSerializer(allow_null=True))
    def get_activation(self, version: ModelVersion) -> dict[str, Any] | None:
        latest = version.activations.first()
        if latest is None:
            return None
        shown: dict[str, Any] = ActivationSerializer(latest).data
        return shown
