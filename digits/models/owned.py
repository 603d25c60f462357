"""Rows that belong to an account or to a browser session."""

from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from digits.accounts.owners import Owner

Row = TypeVar("Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[Row]):
    """For models with the fields `user` and `visitor`."""

    def visible_to(self, owner: "Owner") -> Self:
        """Return the rows that an owner may see: all with the permission, else their own."""
        return self if owner.sees_all(self.model) else self.sent_by(owner)

    def sent_by(self, owner: "Owner") -> Self:
        """Return the rows that an owner sent."""
        if owner.user:
            return self.filter(user=owner.user)
        return self.sent_in_session(owner.visitor) if owner.visitor else self.none()

    def sent_in_session(self, visitor: str) -> Self:
        """Return the rows of a browser session; the index has no others of nobody's."""
        return self.filter(visitor=visitor).exclude(visitor="")
