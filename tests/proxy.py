"""A small reverse proxy, as a site has before it: real connections, TLS where it is asked for."""

import datetime
import http.client
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OF_CONNECTIONS = ("connection", "keep-alive", "transfer-encoding", "content-length")
HERE = "127.0.0.1"


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a port of this machine; `with Proxy(...) as proxy` starts and ends it.

    prefix: what lies elsewhere is answered with 404, and noted in `strays`.
    takes_away: the path is passed on without the prefix.
    tls: a folder for a certificate; None: plain HTTP.
    host: what it says that it was asked for; empty: what it was asked for.
    """

    daemon_threads = True

    def __init__(
        self, port: int, prefix: str = "/", takes_away: bool = False, tls: Path | None = None
    ):
        super().__init__((HERE, 0), _Handler)
        self.upstream, self.prefix, self.takes_away = port, prefix, takes_away
        self.host = ""
        self.strays: list[str] = []
        self.scheme = "https" if tls else "http"
        if tls:
            self.certificate = certificate(tls)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{self.scheme}://{HERE}:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass_on(self):
        prefix, path = self.server.prefix, self.path
        if not (path.startswith(prefix) or path.split("?")[0] == prefix.rstrip("/")):
            self.server.strays.append(path)
            self._answer(404, [], b"the proxy has nothing here\n")
            return
        if self.server.takes_away:
            path = "/" + path.removeprefix(prefix) if path.startswith(prefix) else prefix
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in OF_CONNECTIONS
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        came_by = self.headers.get("X-Forwarded-For")
        client = self.client_address[0]
        headers["X-Forwarded-For"] = f"{came_by}, {client}" if came_by else client
        headers["X-Forwarded-Proto"] = self.server.scheme
        if self.server.host:
            headers["Host"] = self.server.host
        connection = http.client.HTTPConnection(HERE, self.server.upstream, timeout=60)
        try:
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OF_CONNECTIONS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _pass_on  # as it is called

    def log_message(self, *_):
        pass


def certificate(folder: Path) -> Path:
    """Return a file with a new key, and a certificate of this machine that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(place, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "proxy.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
