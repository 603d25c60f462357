"""Idempotency keys: what is sent twice under one key is made once, even at the same time."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from digits.accounts.owners import Owner
from digits.models import Batch, IdempotencyKey, Upload

KEPT = timedelta(hours=24)
Made = TypeVar("Made", Upload, Batch)


class KeyReused(Exception):
    """The key was sent before, with other content."""


def fingerprint(what: str, parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of a request: of its kind, and of its parts with their lengths."""
    digest = hashlib.sha256(what.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def once(owner: Owner, key: str, sent: str, field: str, make: Callable[[], Made]) -> Made:
    """Make something, or return what the owner's key made before.

    A second request waits in the database until the first has committed or failed.

    Args:
        owner: the owner of the key.
        sent: the fingerprint of the request.
        field: the field of IdempotencyKey that refers to what is made.

    Raises:
        KeyReused: the key was sent before with other content.
    """
    mine = owner.fields()
    with transaction.atomic():
        before = IdempotencyKey.objects.filter(key=key, **mine)
        before.filter(created_at__lt=timezone.now() - KEPT).delete()
        try:
            with transaction.atomic():
                row = IdempotencyKey.objects.create(key=key, fingerprint=sent, **mine)
        except IntegrityError:
            row = before.select_related(field).get()
            if row.fingerprint != sent:
                raise KeyReused from None
            before_made: Made = getattr(row, field)
            return before_made
        made = make()
        setattr(row, field, made)
        row.save(update_fields=[field])
    return made


def sweep() -> None:
    """Delete keys that are older than KEPT."""
    IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
