"""Template variables of every page."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

import digits
from digits.accounts.owners import Owner
from digits.accounts.permissions import ACTS


def version(request: HttpRequest) -> dict[str, Any]:
    return {
        "digits_version": digits.__version__,
        "source_url": settings.SOURCE_URL,
        "sign_up": settings.SIGN_UP,
        "second_factor": settings.SECOND_FACTOR != "off",
        "other_server": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
    }


@dataclass(frozen=True)
class Granted:
    """What the owner of a request may do: `may.retrain` in templates, by the names in ACTS."""

    owner: Owner | None

    def __getitem__(self, name: str) -> bool:
        return self.owner is not None and self.owner.may(ACTS[name])


def rights(request: HttpRequest) -> dict[str, Granted]:
    # A page about an error may come before the middleware that says whose the request is.
    return {"may": Granted(getattr(request, "owner", None))}
