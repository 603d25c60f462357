"""What every page knows."""

from django.conf import settings

import digits


def version(request) -> dict:
    return {
        "digits_version": digits.__version__,
        "source_url": settings.SOURCE_URL,
        "sign_up": settings.SIGN_UP,
    }
