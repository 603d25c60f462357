"""Tokens: they are made, shown once, and found by their SHA-256."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from digits.models import Token

PREFIX = "digits_"  # so that a scanner for leaked secrets, and a person, know what it is
SHOWN = len(PREFIX) + 4
USED_EVERY = timedelta(minutes=1)  # how exactly it is noted when a token was used


def make(user: User, name: str) -> tuple[Token, str]:
    """Make a token; return it with its secret, which is not stored."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(user=user, name=name, sha256=_digest(secret), start=secret[:SHOWN])
    return token, secret


def find(secret: str) -> Token | None:
    """Return the token of a secret and note its use; None if it is unknown or not active."""
    tokens = Token.objects.select_related("user")
    token = tokens.filter(sha256=_digest(secret), user__is_active=True).first()
    now = timezone.now()
    if token and (token.last_used_at is None or token.last_used_at < now - USED_EVERY):
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _digest(secret: str) -> str:
    # A slow hash is for what people choose; 256 random bits cannot be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()
