"""Idempotency keys: what is sent twice under one key is made once, even at the same time.

A request first reserves its key, then does what takes long, and at last stores what it makes
together with the key in one short transaction. No transaction is open while files are read.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from digits.accounts.owners import Owner
from digits.files import Prepared
from digits.models import Batch, IdempotencyKey, Upload
from digits.queue import clock

KEPT = timedelta(hours=24)
# After so long, a key whose request ended without a word, as its process was killed, is free again.
# If that request goes on all the same, whoever is first to store wins.
STALE = timedelta(seconds=60)
WAIT_SECONDS, LOOK_SECONDS = 10.0, 0.05  # for another request with the same key
Made = TypeVar("Made", Upload, Batch)


class KeyReused(Exception):
    """The key was sent before, with other content."""


class InProgress(Exception):
    """Another request with the same key is not over yet."""


def fingerprint(what: str, parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of a request: of its kind, and of its parts with their lengths."""
    digest = hashlib.sha256(what.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def once(
    owner: Owner, key: str, sent: str, field: str, prepare: Callable[[], Prepared[Made]]
) -> Made:
    """Make something, or return what the owner's key made before.

    A second request waits until the first is over.

    Args:
        owner: the owner of the key: an account or a browser session.
        sent: the fingerprint of the request.
        field: the field of IdempotencyKey that refers to what is made.
        prepare: prepares what is to be made, outside of any transaction.

    Raises:
        KeyReused: the key was sent before with other content.
        InProgress: the other request takes longer than WAIT_SECONDS.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not (row := _reserved(owner, key, sent)):
        before: Made | None = _made_before(owner, key, sent, field)
        if before is not None:
            return before
        if time.monotonic() > deadline:
            raise InProgress
        time.sleep(LOOK_SECONDS)
    mine = IdempotencyKey.objects.filter(pk=row.pk, created_at=row.created_at)
    try:
        prepared = prepare()
    except BaseException:
        mine.delete()
        raise
    try:
        with transaction.atomic():
            if not mine.select_for_update().exists():
                raise InProgress  # it took longer than STALE, and another request took the key
            made = prepared.store()
            mine.update(**{field: made})
    except BaseException:
        prepared.discard()
        mine.delete()
        raise
    return made


def _reserved(owner: Owner, key: str, sent: str) -> IdempotencyKey | None:
    """Reserve a key that is free; None where another request has it."""
    fields = owner.fields()
    if not fields:
        raise ValueError("expected an account or a browser session, received nobody")
    now = clock.now()
    keys = IdempotencyKey.objects.filter(key=key, **fields)
    with transaction.atomic():
        keys.filter(created_at__lt=now - KEPT).delete()
        keys.filter(created_at__lt=now - STALE, upload=None, batch=None).delete()
        try:
            with transaction.atomic():
                return IdempotencyKey.objects.create(
                    key=key, fingerprint=sent, created_at=now, **fields
                )
        except IntegrityError:
            return None


def _made_before(owner: Owner, key: str, sent: str, field: str) -> Any:
    """Return what a key has made; None where its request is not over.

    Raises:
        KeyReused: it was sent with other content.
    """
    keys = IdempotencyKey.objects.filter(key=key, **owner.fields())
    row = keys.select_related(field).first()
    if row is not None and row.fingerprint != sent:
        raise KeyReused
    return getattr(row, field, None)


def sweep() -> None:
    """Delete keys that are older than KEPT."""
    IdempotencyKey.objects.filter(created_at__lt=clock.now() - KEPT).delete()
