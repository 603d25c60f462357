"""The audit trail: events are recorded within the transaction of the act, and removed by age."""

import logging
import math
import time
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from digits.audit.actors import Actor, actor
from digits.models import AuditEvent, AuditRemoval
from digits.models.audit import Act

logger = logging.getLogger(__name__)
LOOK_SECONDS = 3600  # between two looks for events that are too old
_looked_at = -math.inf


def record(act: Act, about: object = "", detail: str = "", by: Actor | None = None) -> AuditEvent:
    """Record an act.

    Args:
        about: what it is about; its text is kept.
        by: who did it, where that is not who acts now.
    """
    who = by or actor()
    return AuditEvent.objects.create(
        act=act,
        account=who.account,
        name=in_one_line(who.name, 150),
        address=who.address[:45],
        about=in_one_line(str(about), 200),
        detail=in_one_line(detail, 500),
    )


def in_one_line(text: str, most: int) -> str:
    """Return the begin of a text, without signs that end a line or that a terminal obeys."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)[
        :most
    ]


def remove_old_if_due() -> None:
    """Remove what is too old, if this process last looked more than LOOK_SECONDS ago."""
    global _looked_at
    if time.monotonic() - _looked_at >= LOOK_SECONDS:
        remove_old()
        _looked_at = time.monotonic()


def remove_old() -> int:
    """Remove the events that are older than AUDIT_DAYS, and return how many; with 0 days, none."""
    if not settings.AUDIT_DAYS:
        return 0
    until = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    with transaction.atomic():
        AuditRemoval.objects.update_or_create(pk=1, defaults={"until": until})
        removed, _ = models.QuerySet(AuditEvent).filter(created_at__lt=until).delete()
    if removed:
        logger.info("%s audit events were older than %s days", removed, settings.AUDIT_DAYS)
    return removed
