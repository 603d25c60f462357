"""`manage.py serve`: the web server, without workers."""

import gc
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand

KEPT_OPEN_SECONDS = 60
STOP_SECONDS = 8  # less than digits.supervisor gives


class Command(BaseCommand):
    help = "Serve the site on HOST and PORT. On SIGTERM, running requests are finished first."

    def handle(self, **_: Any) -> None:
        server = uvicorn.Config(
            settings.ASGI_APPLICATION.replace(".application", ":application"),
            host=settings.HOST,
            port=settings.PORT,
            loop="uvloop",
            http="httptools",
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # Django takes the scheme, and the address is the proxy's
            limit_concurrency=1000,
            timeout_keep_alive=KEPT_OPEN_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        server.load()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        uvicorn.Server(server).run()
