"""What happens to a browser session's uploads when its owner signs in."""

from digits.middleware import VISITOR
from digits.models import Batch, Upload


def take_uploads_along(sender, request, user, **_):
    """Give an account what its browser session sent before signing in."""
    visitor = request.session.pop(VISITOR, "")
    if visitor:
        for rows in (Upload.objects, Batch.objects):
            rows.filter(visitor=visitor).update(user=user, visitor="")
