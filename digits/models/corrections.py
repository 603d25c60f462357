"""Correction: the true label that a person gave a digit. Models never change it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

NOT_A_DIGIT = 10  # the label of images without a digit, as the models' eleventh class
LABELS = [*((value, str(value)) for value in range(10)), (NOT_A_DIGIT, "not a digit")]


class Correction(models.Model):
    """One label that a person gave a digit; the newest one is the digit's label."""

    digit = models.ForeignKey("Digit", models.CASCADE, related_name="corrections")
    label = models.PositiveSmallIntegerField(
        null=True, choices=LABELS, help_text="empty: what was said before is withdrawn"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, db_index=False
    )
    visitor = models.CharField("browser session", max_length=32, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(label__isnull=True) | Q(label__lte=NOT_A_DIGIT),
                name="correction_is_a_class",
            )
        ]

    def __str__(self) -> str:
        text = "withdrawn" if self.label is None else self.get_label_display()
        return f"{text}, {self.created_at:%Y-%m-%d %H:%M}"
