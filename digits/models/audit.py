"""AuditEvent: who did what, when and from where. It is written once, and stays as it is."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone


class Act(models.TextChoices):
    """What is recorded."""

    SIGNED_IN = "signed in", "signed in"
    SIGN_IN_FAILED = "sign-in failed", "sign-in failed"
    LOCKED_OUT = "locked out", "locked out"
    SIGNED_OUT = "signed out", "signed out"
    ACCOUNT_MADE = "account made", "account made"
    ACCOUNT_CHANGED = "account changed", "account changed"
    ACCOUNT_DELETED = "account deleted", "account deleted"
    PASSWORD_SET = "password set", "password set"
    SECOND_FACTOR_ON = "second factor on", "second factor switched on"
    SECOND_FACTOR_OFF = "second factor off", "second factor switched off"
    RECOVERY_CODES_MADE = "recovery codes made", "recovery codes made"
    RECOVERY_CODE_USED = "recovery code used", "recovery code used"
    RIGHTS_CHANGED = "rights changed", "rights changed"
    TOKEN_MADE = "token made", "token made"
    TOKEN_ENDED = "token ended", "token ended"
    UPLOAD_DELETED = "upload deleted", "upload deleted"
    BATCH_DELETED = "batch deleted", "batch deleted"
    VERSION_DELETED = "version deleted", "version deleted"
    ACTIVATION_REQUESTED = "activation requested", "activation requested"
    VERSION_ACTIVATED = "version activated", "version activated"
    TRAINING_REQUESTED = "training requested", "training requested"
    TRAINING_CANCELLED = "training cancelled", "training cancelled"
    EXPORTED = "exported", "exported"
    TRUST_GIVEN = "trust given", "trust given"
    TRUST_TAKEN = "trust taken", "trust taken"
    CORRECTIONS_WITHDRAWN = "corrections withdrawn", "corrections withdrawn"


class AppendOnly(Exception):
    """An audit event is neither changed nor deleted."""

    def __init__(self) -> None:
        super().__init__("audit events are append-only: they are neither changed nor deleted")


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def update(self, **_: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class AuditEvent(models.Model):
    """One act. Names are text, so that they outlive what they name: see digits.audit.

    Triggers of the database refuse to change or delete one: see digits.audit.guard.
    """

    created_at = models.DateTimeField("when", default=timezone.now, db_index=True)
    act = models.CharField("what", max_length=30, choices=Act.choices)
    account = models.BigIntegerField("number of the account", null=True, blank=True)
    name = models.CharField("who", max_length=150)
    address = models.CharField("from", max_length=45, blank=True)
    about = models.CharField(max_length=200, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit event"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} {self.name}: {self.act} {self.about}".strip()

    def save(self, *args: Any, **options: Any) -> None:
        """Store a new event.

        Raises:
            AppendOnly: it is stored already.
        """
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **options)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise AppendOnly


class AuditRemoval(models.Model):
    """The one row that says up to when events were removed for their age: see digits.audit."""

    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"events up to {self.until:%Y-%m-%d} were removed"
