"""Owners of what requests create: an account, or else a browser session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from digits.addresses import network_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.base import SessionBase
    from django_htmx.middleware import HtmxDetails

VISITOR = "visitor"


@dataclass
class Owner:
    """An owner of uploads: an account, or else a browser session.

    session: the request's session; None for a program, which has none.
    address: the network address that the request came from.
    """

    user: User | None
    session: SessionBase | MutableMapping[str, Any] | None
    address: str = ""

    @property
    def is_staff(self) -> bool:
        return bool(self.user and self.user.is_staff)

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
    return f"a{salted_hmac('sender', address).hexdigest()[:30]}"


class OwnedRequest(HttpRequest):
    """A request with the attributes that the middleware sets."""

    owner: Owner
    htmx: HtmxDetails


class SignedInRequest(OwnedRequest):
    """A request of somebody who is signed in."""

    user: User
