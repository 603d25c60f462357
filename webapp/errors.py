"""Errors, sent to Sentry or a server like it."""

from django.core.exceptions import ImproperlyConfigured

import digits


def start_sentry(dsn: str) -> None:
    """Send what is logged as an error, with its traceback, from this process and its children.

    Neither images nor forms, cookies, addresses of visitors or values of variables go with it.

    Raises:
        ImproperlyConfigured: dsn is no address of such a server.
    """
    import sentry_sdk
    from sentry_sdk.utils import BadDsn

    try:
        sentry_sdk.init(
            dsn,
            release=digits.__version__,
            send_default_pii=False,
            max_request_body_size="never",
            include_local_variables=False,
            max_breadcrumbs=0,  # what was logged before: who signed in, and from where
        )
    except BadDsn as error:
        raise ImproperlyConfigured(f"expected SENTRY_DSN to be an address: {error}") from error
