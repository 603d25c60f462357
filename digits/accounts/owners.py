"""Who owns what a request does."""

import uuid
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

VISITOR = "visitor"


@dataclass
class Owner:
    """To whom uploads belong: an account, or else a browser session.

    session: the request's session, or any dictionary where there is none.
    """

    user: Any
    session: MutableMapping[str, Any]

    @property
    def is_staff(self) -> bool:
        return bool(self.user and self.user.is_staff)

    @property
    def visitor(self) -> str:
        """The browser session's name; empty before its first upload."""
        return self.session.get(VISITOR, "")

    def fields(self) -> dict[str, Any]:
        """Return the owner's fields of a new row; a browser session gets its name here."""
        if self.user:
            return {"user": self.user}
        if not self.visitor:
            self.session[VISITOR] = uuid.uuid4().hex
        return {"visitor": self.visitor}
