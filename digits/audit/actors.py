"""Who acts: known from the request that is under way, or else from the command that runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import PurePath

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True)
class Actor:
    """Who acts: an account, a visitor or a program.

    account: the primary key of the account; None without one.
    address: the network address of the request; empty without one.
    """

    account: int | None
    name: str
    address: str = ""


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def actor() -> Actor:
    """Return who acts now."""
    known = _acting.get()
    if known:
        return known
    program, *words = sys.argv
    is_command = PurePath(program).name == "manage.py" and words
    return Actor(None, f"manage.py {words[0]}" if is_command else "the system")


def as_actor(user: AbstractBaseUser | AnonymousUser | None, address: str = "") -> Actor:
    """Return an account as who acts; without one, a visitor."""
    if user is None or isinstance(user, AnonymousUser):
        return Actor(None, "a visitor", address)
    return Actor(user.pk, user.get_username(), address)


def on_behalf_of(user: AbstractBaseUser | None) -> Actor:
    """Return who acts now, or the account for which a program goes on with what it began."""
    now = actor()
    return now if user is None or user.pk == now.account else as_actor(user)


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Let somebody be who acts while the block runs."""
    token = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(token)


def acts_by_token(user: AbstractBaseUser) -> None:
    """Let the account of a token be who acts for the rest of the request."""
    _acting.set(as_actor(user, actor().address))
