"""Template variables of every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

import digits


def version(request: HttpRequest) -> dict[str, Any]:
    return {
        "digits_version": digits.__version__,
        "source_url": settings.SOURCE_URL,
        "sign_up": settings.SIGN_UP,
    }
