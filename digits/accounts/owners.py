"""Owners of what requests create: an account, or else a browser session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from digits.accounts.permissions import SEE_BATCHES, SEE_UPLOADS, Act, Forbidden, MissingScope, has
from digits.addresses import network_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.base import SessionBase
    from django.db.models import Model
    from django_htmx.middleware import HtmxDetails

    from digits.models import Batch, Upload

VISITOR = "visitor"
SEE_ALL = {"upload": SEE_UPLOADS, "batch": SEE_BATCHES}  # by the name of the model


@dataclass
class Owner:
    """An owner of uploads: an account, or else a browser session.

    session: the request's session; None for a program, which has none.
    address: the network address that the request came from.
    scopes: those of the token that the request came with; None without a token.
    """

    user: User | None
    session: SessionBase | MutableMapping[str, Any] | None
    address: str = ""
    scopes: frozenset[str] | None = None

    def may(self, act: Act) -> bool:
        """Return whether it may do an act: its account, and the token where it came with one."""
        in_scope = self.scopes is None or act.scope in self.scopes
        return bool(self.user and in_scope and has(self.user, act))

    def must(self, act: Act) -> None:
        """Do nothing where it may do an act.

        Raises:
            MissingScope: its account may do it, but not with this token.
            Forbidden: its account may not do it.
        """
        if self.may(act):
            return
        if self.user and has(self.user, act):
            raise MissingScope(act.scope)
        raise Forbidden(f"This needs the permission to {act.words}.")

    def sees_all(self, model: type[Model]) -> bool:
        """Return whether it may see everybody's rows of a model."""
        return self.may(SEE_ALL[model._meta.model_name or ""])

    def sent(self, row: Upload | Batch) -> bool:
        """Return whether a row is its own."""
        if self.user:
            return row.user_id == self.user.pk
        return bool(self.visitor) and row.visitor == self.visitor

    def may_with(self, row: Upload | Batch, act: Act) -> bool:
        """Return whether it may do an act with a row: everything with its own ones."""
        return self.sent(row) or self.may(act)

    def must_with(self, row: Upload | Batch, act: Act) -> None:
        """Do nothing where it may do an act with a row.

        Raises:
            Forbidden: it may not; also MissingScope.
        """
        if not self.sent(row):
            self.must(act)

    @property
    def visitor(self) -> str:
        """The id of the browser session; empty before its first upload."""
        name: str = (self.session or {}).get(VISITOR, "")
        return name

    @property
    def sender(self) -> str:
        """A name for whoever shares the site's room and time with others: an account, or else all
        that comes from one place, since a browser session costs nothing.

        No address can be read in it. It is empty where none is known.
        """
        if self.user:
            return f"u{self.user.pk}"
        return _sender_at(network_of(self.address)) if self.address else ""

    def fields(self) -> dict[str, Any]:
        """Return the owner's fields for a new row; a new browser session gets its id here.

        What a program sends without an account is nobody's, and stands in no list but the admin's.
        """
        if self.user:
            return {"user": self.user}
        if self.session is None:
            return {}
        if not self.visitor:
            self.session[VISITOR] = uuid.uuid4().hex
        return {"visitor": self.visitor}


@lru_cache(1000)
def _sender_at(address: str) -> str:
    return f"a{salted_hmac('sender', address, algorithm='sha256').hexdigest()[:30]}"


class OwnedRequest(HttpRequest):
    """A request with the attributes that the middleware sets."""

    owner: Owner
    htmx: HtmxDetails


class SignedInRequest(OwnedRequest):
    """A request of somebody who is signed in."""

    user: User
