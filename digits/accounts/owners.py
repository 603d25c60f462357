"""Who owns what a request does."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.base import SessionBase
    from django_htmx.middleware import HtmxDetails

VISITOR = "visitor"


@dataclass
class Owner:
    """To whom uploads belong: an account, or else a browser session.

    session: the request's session, or any dictionary where there is none.
    """

    user: User | None
    session: SessionBase | MutableMapping[str, Any]

    @property
    def is_staff(self) -> bool:
        return bool(self.user and self.user.is_staff)

    @property
    def visitor(self) -> str:
        """The browser session's name; empty before its first upload."""
        name: str = self.session.get(VISITOR, "")
        return name

    def fields(self) -> dict[str, Any]:
        """Return the owner's fields of a new row; a browser session gets its name here."""
        if self.user:
            return {"user": self.user}
        if not self.visitor:
            self.session[VISITOR] = uuid.uuid4().hex
        return {"visitor": self.visitor}


class OwnedRequest(HttpRequest):
    """A request behind the middleware, which sets its owner and what htmx tells of it."""

    owner: Owner
    htmx: HtmxDetails


class SignedInRequest(OwnedRequest):
    """A request to a view that is only for accounts."""

    user: User
