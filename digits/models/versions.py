"""ModelVersion: one trained model; exactly one is active."""

from django.db import models
from django.db.models import Q


def model_path(version, filename: str) -> str:
    return f"models/{version.number:04d}-{version.sha256[:12]}.keras"


class ModelVersion(models.Model):
    number = models.PositiveIntegerField(unique=True)
    architecture = models.CharField(max_length=50)
    file = models.FileField(upload_to=model_path, max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    metrics = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField("active", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = "model version"
        constraints = [
            models.UniqueConstraint(
                fields=["is_active"], condition=Q(is_active=True), name="one_active_version"
            )
        ]

    def __str__(self):
        return f"version {self.number}"

    @classmethod
    def active(cls) -> "ModelVersion | None":
        """The version that reads now; None before the first one is registered."""
        return cls.objects.filter(is_active=True).first()
