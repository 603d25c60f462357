"""Tokens: they are made, shown once, found by their SHA-256, and ended.

When one was used is noted in Redis, and the sweep stores it, so that no request of a program waits
for the database to write.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from digits.models import Token
from digits.models.api import Scope
from digits.queue import redis

logger = logging.getLogger(__name__)
PREFIX = "digits_"  # so that a scanner for leaked secrets, and a person, know what it is
SHOWN = len(PREFIX) + 4
USED_EVERY = timedelta(minutes=1)  # how exactly it is noted when a token was used
DAYS = 365  # a token expires after so long, unless another time is chosen
USED = "digits:tokens:used"  # a hash in Redis: when a token was used, by its key
MOST_NOTED = 10_000  # tokens whose use a process remembers
_noted: dict[str, float] = {}  # when the use of a token was last noted, by its SHA-256


def make(
    user: User, name: str, scopes: Iterable[str] = tuple(Scope), days: int | None = DAYS
) -> tuple[Token, str]:
    """Make a token; return it with its secret, which is not stored.

    days: after how many days it expires; None: never.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        sha256=_digest(secret),
        start=secret[:SHOWN],
        scope=" ".join(scopes),
        expires_at=None if days is None else timezone.now() + timedelta(days=days),
    )
    return token, secret


def find(secret: str) -> Token | None:
    """Return the token of a secret and note its use; None if it is unknown, or not valid now."""
    tokens = Token.objects.select_related("user")
    token = tokens.filter(sha256=_digest(secret), user__is_active=True).first()
    if token is None or token.has_expired:
        return None
    _note_use(token)
    return token


def end_all(user: User) -> int:
    """Delete all tokens of an account; return how many."""
    deleted, _ = user.tokens.all().delete()
    return deleted


def _note_use(token: Token) -> None:
    now = time.time()
    if now - _noted.get(token.sha256, 0) < USED_EVERY.total_seconds():
        return
    if len(_noted) >= MOST_NOTED:
        _noted.clear()
    _noted[token.sha256] = now
    try:
        redis.client().hset(USED, str(token.pk), str(now))
    except redis.RedisError as error:
        logger.debug("the use of a token was not noted: %s", error)


def sweep() -> None:
    """Store when tokens were used, at most once a minute for each."""
    try:
        with redis.client().pipeline(transaction=True) as pipeline:
            pipeline.hgetall(USED)
            pipeline.delete(USED)
            used: dict[str, str] = pipeline.execute()[0]
    except redis.RedisError as error:
        logger.debug("Redis does not say when tokens were used: %s", error)
        return
    for key, when in used.items():
        at = datetime.fromtimestamp(float(when), UTC)
        is_older = Q(last_used_at=None) | Q(last_used_at__lte=at - USED_EVERY)
        Token.objects.filter(is_older, pk=key).update(last_used_at=at)


def _digest(secret: str) -> str:
    # A slow hash is for what people choose; 256 random bits cannot be guessed.
    return hashlib.sha256(secret.encode()).hexdigest()
