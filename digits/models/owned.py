"""Rows that belong to an account, or else to a browser session."""

from django.db import models


class OwnedQuerySet(models.QuerySet):
    """Of models with the fields `user` and `visitor`."""

    def visible_to(self, owner):
        """The rows that an owner may see: all for staff, else their own."""
        return self if owner.is_staff else self.sent_by(owner)

    def sent_by(self, owner):
        """The rows that an owner sent."""
        if owner.user:
            return self.filter(user=owner.user)
        return self.filter(visitor=owner.visitor) if owner.visitor else self.none()
