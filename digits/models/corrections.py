"""Correction: the true label that a person gave a digit, and how far that person is trusted."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

NOT_A_DIGIT = 10  # the label of images without a digit, as the models' eleventh class
LABELS = [*((value, str(value)) for value in range(10)), (NOT_A_DIGIT, "not a digit")]


class Trust(models.TextChoices):
    """Whose word a correction is: see digits.learning.trust."""

    STAFF = "staff", "staff"
    TRUSTED = "trusted", "a trusted account"
    ACCOUNT = "account", "an account"
    VISITOR = "visitor", "a visitor"
    EARLIER = "earlier", "from before trust was kept"


class Correction(models.Model):
    """One label that a person gave a digit; the newest that is not withdrawn is the digit's."""

    digit = models.ForeignKey("Digit", models.CASCADE, related_name="corrections")
    label = models.PositiveSmallIntegerField(
        null=True, choices=LABELS, help_text="empty: what was said before is withdrawn"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, db_index=False
    )
    visitor = models.CharField("browser session", max_length=32, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    trust = models.CharField(
        "word of",
        max_length=10,
        choices=Trust.choices,
        default=Trust.VISITOR,
        db_default=Trust.VISITOR,
    )
    is_current = models.BooleanField(
        "is the label",
        default=False,
        db_default=False,
        help_text="whether it is the digit's label now",
    )
    counts_since = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="when it became the label, or trusted"
    )
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text="when staff withdrew all that this person had said"
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            # What a training learns from, how much of it is new, and what waits for staff.
            models.Index(
                fields=["trust", "counts_since"],
                condition=Q(is_current=True),
                name="correction_that_counts",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["digit"], condition=Q(is_current=True), name="one_label_of_a_digit"
            ),
            models.CheckConstraint(
                condition=Q(label__isnull=True) | Q(label__lte=NOT_A_DIGIT),
                name="correction_is_a_class",
            ),
        ]

    def __str__(self) -> str:
        text = "withdrawn" if self.label is None else self.get_label_display()
        return f"{text}, {self.created_at:%Y-%m-%d %H:%M}"


class TrustedAccount(models.Model):
    """The mark of an account whose corrections staff trusts."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="trusted"
    )
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user} is trusted"
