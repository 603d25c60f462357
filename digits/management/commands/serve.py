"""`manage.py serve`: the web server, without workers."""

import signal
import sys
from typing import Any

import waitress
from django.conf import settings
from django.core.management.base import BaseCommand
from django.core.servers.basehttp import get_internal_wsgi_application

ROOM_FOR_FORM = 1024 * 1024


class Command(BaseCommand):
    help = "Serve the site on HOST and PORT. On SIGTERM, running requests are finished first."

    def handle(self, **_: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        waitress.serve(
            get_internal_wsgi_application(),  # WSGI_APPLICATION of the settings
            host=settings.HOST,
            port=settings.PORT,
            threads=settings.WEB_THREADS,
            max_request_body_size=max(settings.MAX_UPLOAD_BYTES, settings.MAX_BATCH_BYTES)
            + ROOM_FOR_FORM,
            connection_limit=1000,
            channel_timeout=60,
            ident=None,
            clear_untrusted_proxy_headers=not settings.HTTPS,
            **(
                {"trusted_proxy": "*", "trusted_proxy_headers": {"x-forwarded-proto"}}
                if settings.HTTPS
                else {}
            ),
        )
