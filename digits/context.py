"""What every page knows."""

import digits


def version(request) -> dict:
    return {"digits_version": digits.__version__}
