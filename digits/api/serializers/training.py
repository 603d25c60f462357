"""Training runs in responses and requests."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from digits.models import TrainingRun
from worker.training.recipes import ARCHITECTURES


class TrainingRunSerializer(serializers.ModelSerializer):
    """One training run."""

    progress = serializers.FloatField(source="share_done", read_only=True, help_text="from 0 to 1")
    seconds_left = serializers.SerializerMethodField(help_text="null before it can be estimated")
    base = serializers.IntegerField(
        source="base_id",
        allow_null=True,
        read_only=True,
        help_text="id of the version it starts from",
    )
    version = serializers.IntegerField(
        source="version_id",
        allow_null=True,
        read_only=True,
        help_text="id of the version that it made",
    )
    settings = serializers.DictField(read_only=True, help_text="of the training")

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "status",
            "origin",
            "from_scratch",
            "activate_if_better",
            "forced",
            "settings",
            "created_at",
            "started_at",
            "finished_at",
            "cancel_requested_at",
            "epoch",
            "epochs",
            "progress",
            "seconds_left",
            "base",
            "version",
            "outcome",
            "error",
        ]
        read_only_fields = fields

    def get_seconds_left(self, run: TrainingRun) -> float | None:
        return None if run.is_finished or run.time_left is None else run.time_left.total_seconds()


class OneTrainingRunSerializer(TrainingRunSerializer):
    """One training run, with the figures of its epochs and its log."""

    curves = serializers.ListField(
        child=serializers.DictField(child=serializers.FloatField()),
        help_text="the figures of each finished epoch",
    )
    log = serializers.SerializerMethodField()

    class Meta(TrainingRunSerializer.Meta):
        fields = [*TrainingRunSerializer.Meta.fields, "curves", "log"]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_log(self, run: TrainingRun) -> list[str]:
        return list(run.events.values_list("text", flat=True))


class RetrainSerializer(serializers.Serializer):
    """The settings of a new training; missing ones have the defaults of its kind."""

    # digits.forms.RetrainForm has the bounds.

    start = serializers.ChoiceField(
        ["active", "scratch"],
        default="active",
        help_text="active: fine-tune the active version on the corrections; scratch: a new network",
    )
    architecture = serializers.ChoiceField(
        ARCHITECTURES, default=ARCHITECTURES[0], help_text="only from scratch"
    )
    epochs = serializers.IntegerField(required=False)
    images_per_epoch = serializers.IntegerField(
        required=False, help_text="of MNIST's images; 0: all of them"
    )
    learning_rate = serializers.FloatField(required=False)
    batch_size = serializers.IntegerField(required=False)
    seed = serializers.IntegerField(required=False)
    correction_weight = serializers.IntegerField(
        required=False, help_text="how many times an epoch shows each correction"
    )
    activate_if_better = serializers.BooleanField(
        required=False,
        help_text="needs the role operator; default: true for those who have it",
    )
    forced = serializers.BooleanField(
        default=False, help_text="train although no correction is new"
    )
