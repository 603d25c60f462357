"""Token, with which programs sign in, and IdempotencyKey, with which they repeat requests."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Scope(models.TextChoices):
    """What a token allows; no more than its account may do."""

    READ = "read", "see what you see"
    WRITE = "write", "send images and bulk jobs, and cancel and delete your own"
    CORRECT = "correct", "correct digits"
    MANAGE = "manage", "use your roles: train, activate, cancel and delete what others sent"


class Token(models.Model):
    """A secret with which a program acts for an account; only its SHA-256 is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, help_text="what it is for")
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    start = models.CharField(max_length=20, help_text="its first letters, to tell it by")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="empty: never")
    scope = models.CharField(max_length=100, help_text="names of scopes, a space between two")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"token {self.name}"

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())

    @property
    def scope_labels(self) -> list[str]:
        """What it allows, in words."""
        return [str(scope.label) for scope in Scope if scope in self.scopes]

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class IdempotencyKey(models.Model):
    """The upload or batch that a sender's key made: see digits.accounts.idempotency."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    visitor = models.CharField("browser session", max_length=32, blank=True)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was sent")
    upload = models.ForeignKey("Upload", models.CASCADE, null=True, blank=True)
    batch = models.ForeignKey("Batch", models.CASCADE, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "key"], condition=Q(visitor=""), name="one_key_of_an_account"
            ),
            models.UniqueConstraint(
                fields=["visitor", "key"],
                condition=Q(user__isnull=True),
                name="one_key_of_a_visitor",
            ),
        ]

    def __str__(self) -> str:
        return self.key
