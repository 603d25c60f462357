"""A relay between a process and a server: it can hold back what it passes on, or cut it off."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable

CHUNK = 64 * 1024


class Relay:
    """A relay on a port of its own; it runs while this is entered.

    flows: while it is not set, nothing is passed on.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        """Prepare.

        Args:
            connect: returns a connection to the server; with an OSError, who asks is cut off.
        """
        self.flows, self._open = threading.Event(), set[socket.socket]()
        self.flows.set()
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), connect() as server:
                    relay._open |= {server, self.request}
                    back = threading.Thread(target=relay._pass_on, args=[server, self.request])
                    back.start()
                    relay._pass_on(self.request, server)
                    back.join()
                    relay._open -= {server, self.request}

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]

    def cut(self) -> None:
        """Cut all connections."""
        for one in tuple(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self.flows.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Relay":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.flows.set()
        self.server.shutdown()
        self.server.server_close()
