"""The ASGI application: requests are taken whole, and pages and programs get the same care."""

import asyncio
import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator

import pytest
from django.core.handlers.wsgi import WSGIHandler

from digits import connections
from digits.models import Upload
from tests.api.clients import UPLOADS
from tests.factories import make_upload
from webapp import asgi, wsgi
from webapp.asgi import CHUNK, ROOM_FOR_FORM, Application, application, in_chunks

pytestmark = pytest.mark.django_db(transaction=True)
CLASSIFY = "/mnist/classify"
PLACES = ["/", UPLOADS, CLASSIFY]
WITHOUT_HTTPS = {"/": 301, UPLOADS: 403, CLASSIFY: 403}  # people are redirected, programs refused
SECURITY = (
    "content-security-policy",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
)
DISCONNECT = {"type": "http.disconnect"}


def piece(body: bytes = b"", more: bool = False) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


def exchange(*received: dict, path: str = "/", site=application, **options) -> list[dict]:
    """What the application sends to a client that sends this, and then nothing more."""
    headers = {"host": "localhost"} | options.get("headers", {})
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": options.get("method", "POST"),
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    left, sent = list(received), []

    async def receive() -> dict:
        return left.pop(0) if left else await asyncio.Event().wait()

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(site(scope, receive, send))
    return sent


def answer(*received: dict, **options) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body of an answer."""
    start, *rest = exchange(*received, **options)
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(message.get("body", b"") for message in rest)


def form(name: str, data: bytes) -> tuple[bytes, dict[str, str]]:
    """The body of a form with a file, and its headers."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    body = f"--line\r\n{disposition}\r\n\r\n".encode() + data + b"\r\n--line--\r\n"
    return body, {"content-type": "multipart/form-data; boundary=line"}


@pytest.fixture
def no_large_ones(settings):
    """The site takes nothing but a form's own lines."""
    settings.MAX_UPLOAD_BYTES = settings.MAX_BATCH_BYTES = 0


def fresh_site(monkeypatch) -> Application:
    """The site as it starts with the settings of now."""
    monkeypatch.setattr(wsgi, "_pages", WSGIHandler())
    monkeypatch.setattr(wsgi, "_programs", wsgi.Programs())
    return Application()


@contextlib.contextmanager
def served() -> Iterator[socket.socket]:
    """A connection to a server of the application."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = connections.Server(connections.config(application))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), timeout=10) as connection:
                yield connection
        finally:
            server.should_exit = True
            thread.join()


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while some := connection.recv(65536):
            received += some
    return received


@pytest.mark.parametrize("path", PLACES)
def test_it_refuses_a_body_that_says_it_is_too_large_before_it_comes(no_large_ones, path):
    headers = {"content-length": str(ROOM_FOR_FORM + 1)}
    status, headers, body = answer(path=path, headers=headers)
    assert (status, headers["connection"], body) == (413, "close", b"That is too large.\n")


@pytest.mark.parametrize("path", PLACES)
def test_it_refuses_a_body_that_turns_out_too_large(no_large_ones, path):
    half = piece(bytes(ROOM_FOR_FORM // 2 + 1), more=True)
    status, headers, _ = answer(half, half, path=path)
    assert (status, headers["connection"]) == (413, "close")


def test_the_server_ends_the_connection_of_a_body_that_is_too_large(no_large_ones):
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {ROOM_FOR_FORM + 1}\r\n\r\n"
    with served() as connection:
        connection.sendall(head.encode())
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


def test_the_server_ends_the_connection_of_pieces_that_become_too_large(no_large_ones):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (CHUNK, bytes(CHUNK))
    with served() as connection:
        connection.sendall(head + chunk * (ROOM_FOR_FORM // CHUNK + 1))
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("received", [[], [piece(b"some", more=True)]])
def test_a_body_of_which_nothing_comes_is_refused(settings, received):
    settings.BODY_SECONDS = 0.05
    status, headers, body = answer(*received, headers={"content-length": "100"})
    assert (status, headers["connection"]) == (408, "close")
    assert b"did not come" in body


def test_a_slow_body_is_taken_as_long_as_enough_of_it_comes(settings):
    settings.BODY_SECONDS = 0.2

    async def slowly() -> bytes:
        async def receive() -> dict:
            await asyncio.sleep(0.06)
            pieces.append(b"x" * 1000)
            return piece(pieces[-1], more=len(pieces) < 6)

        pieces: list[bytes] = []
        with tempfile.SpooledTemporaryFile() as body:
            assert await asgi.read_body({"headers": [], "path": "/"}, receive, body)
            return body.read()

    assert asyncio.run(slowly()) == b"x" * 6000


@pytest.mark.parametrize("path", PLACES)
def test_a_client_that_leaves_is_sent_nothing(path):
    assert exchange(DISCONNECT, path=path) == []
    assert exchange(piece(b"some", more=True), DISCONNECT, path=path) == []


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 1])
def test_a_body_is_passed_on_piece_by_piece_and_whole(size):
    async def whole(body) -> bytes:
        receive, passed = in_chunks(body), b""
        while (message := await receive())["more_body"]:
            passed += message["body"]
        return passed + message["body"]

    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    with tempfile.SpooledTemporaryFile() as body:
        body.write(data)
        body.seek(0)
        assert asyncio.run(whole(body)) == data


def test_a_page_comes_through_the_threads():
    status, headers, body = answer(piece(), method="GET")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"</html>" in body


def test_an_answer_of_the_api_comes_through_the_threads(redis):
    status, _, body = answer(piece(), method="GET", path="/api/v1/models/")
    assert status == 200
    assert b'"is_active":true' in body.replace(b" ", b"")


def test_a_file_that_does_not_exist_is_not_found():
    assert answer(piece(), method="GET", path="/static/digits/none.css")[0] == 404


def test_a_body_without_a_length_is_read_all_the_same(redis):
    """The answer to an image that is none shows that it came."""
    body, headers = form("words.png", b"words, not an image")
    pieces = piece(body[:50], more=True), piece(body[50:])
    status, _, text = answer(*pieces, path=CLASSIFY, headers=headers)
    assert (status, b"not an image" in text) == (400, True)


def test_a_program_may_send_to_the_api_without_a_length(redis, seven, django_user_model):
    from digits.accounts import tokens

    _, secret = tokens.make(django_user_model.objects.create(username="ann"), "test")
    body, headers = form("seven.png", seven)
    headers |= {"authorization": f"Bearer {secret}", "transfer-encoding": "chunked"}
    assert answer(piece(body), path=UPLOADS, headers=headers)[0] == 202
    assert Upload.objects.get().name == "seven.png"


def test_a_header_with_underscores_does_not_pass_for_one_with_hyphens(
    settings, proxies, monkeypatch
):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    site = fresh_site(monkeypatch)
    for path in PLACES:
        statuses = [
            answer(piece(), path=path, site=site, headers={name: "https"})[0]
            for name in ("x_forwarded_proto", "x-forwarded-proto")
        ]
        assert statuses[0] == WITHOUT_HTTPS[path]
        assert (
            statuses[1] == {"/": 403, UPLOADS: 401, CLASSIFY: 400}[path]
        )  # CSRF, no token, no file


@pytest.mark.parametrize("path", PLACES)
def test_what_is_no_proxy_is_not_believed_that_https_is_used(settings, monkeypatch, path):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"x-forwarded-proto": "https"}
    status, _, _ = answer(piece(), path=path, site=fresh_site(monkeypatch), headers=headers)
    assert status == WITHOUT_HTTPS[path]


def test_the_server_refuses_an_address_with_bytes_that_are_no_letters():
    with served() as connection:
        connection.sendall(b"GET /?q=\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_answers_to_programs_have_the_security_headers_of_a_page():
    _, page, _ = answer(piece(), method="GET")
    for path in (CLASSIFY, UPLOADS):
        _, headers, _ = answer(piece(), path=path)
        assert {name: headers[name] for name in SECURITY} == {name: page[name] for name in SECURITY}


@pytest.mark.parametrize("path", ["/", "/uploads/", "/api/docs/", "/accounts/login/"])
def test_with_https_people_are_redirected_there(settings, monkeypatch, path):
    settings.SECURE_SSL_REDIRECT = True
    site = fresh_site(monkeypatch)
    status, headers, _ = answer(piece(), path=path, site=site)
    assert (status, headers["location"]) == (301, f"https://localhost{path}")


@pytest.mark.parametrize("path", [UPLOADS, CLASSIFY, "/api/v1/models/", f"{UPLOADS}1/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [{}, {"cookie": "digits-8000-csrf=x"}])
def test_with_https_programs_are_refused_by_http(settings, monkeypatch, path, method, headers):
    settings.SECURE_SSL_REDIRECT = True
    site = fresh_site(monkeypatch)
    status, told, body = answer(piece(), path=path, method=method, site=site, headers=headers)
    assert (status, "location" in told) == (403, False)
    assert body.startswith(b"Send this by HTTPS.")
    assert told["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in told["content-security-policy"]


@pytest.mark.parametrize("path", PLACES)
def test_a_wrong_host_is_refused(settings, path):
    settings.ALLOWED_HOSTS = ["localhost"]
    assert answer(piece(), path=path, headers={"host": "elsewhere.example"})[0] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/models/"),
        ("GET", "/api/v1/models/1/"),
        ("GET", "/api/v1/models"),
        ("GET", "/api/v1/nothing/"),
        ("GET", UPLOADS),
        ("POST", UPLOADS),
        ("DELETE", "/api/v1/models/"),
        ("GET", "/api/v1/training-runs/"),
    ],
)
@pytest.mark.parametrize("anonymous", [True, False])
def test_the_api_answers_without_cookies_as_with_all_middleware(
    redis, settings, monkeypatch, method, path, anonymous
):
    settings.ANONYMOUS = anonymous
    short = answer(piece(), method=method, path=path)
    monkeypatch.setattr(wsgi, "is_of_program", lambda environ: False)
    full = answer(piece(), method=method, path=path)
    for _, headers, _ in (short, full):
        headers.pop("vary", None)
        headers.pop("set-cookie", None)
    assert short == full


def test_a_request_with_cookies_gets_the_middleware_of_pages():
    environ = {"PATH_INFO": UPLOADS}
    assert wsgi.is_of_program(environ)
    assert not wsgi.is_of_program({**environ, "HTTP_COOKIE": "digits-8000-session=1"})
    assert not wsgi.is_of_program({"PATH_INFO": "/uploads/"})


def test_pages_keep_their_middleware(settings):
    before = list(settings.MIDDLEWARE)
    with wsgi.program_middleware():
        assert settings.MIDDLEWARE == settings.PROGRAM_MIDDLEWARE
    assert before == settings.MIDDLEWARE


def test_the_server_keeps_a_connection_for_the_next_request():
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served() as connection:
        for _ in range(2):
            connection.sendall(request)
            received = b""
            while not received.endswith(b"ok\n"):
                received += connection.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")


def test_a_request_with_two_lengths_hides_no_other_request():
    """A proxy that went by the other one would take the rest for somebody else's request."""
    head = b"POST /nothing/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    hidden = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served() as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + hidden)
        assert all_of(connection).startswith(b"HTTP/1.1 400 ")
    with served() as connection:
        connection.sendall(head + b"Content-Length: 6\r\n\r\n" + hidden)
        assert all_of(connection).startswith(b"HTTP/1.1 400 ")


def test_the_audit_trail_knows_where_a_program_with_a_token_is(redis, django_user_model):
    from digits.accounts import tokens
    from digits.models import AuditEvent
    from digits.models.audit import Act

    ann = django_user_model.objects.create(username="ann")
    _, secret = tokens.make(ann, "test")
    upload = make_upload(user=ann)
    headers = {"authorization": f"Bearer {secret}"}
    path = f"{UPLOADS}{upload.pk}/"
    assert answer(piece(), method="DELETE", path=path, headers=headers)[0] == 204
    event = AuditEvent.objects.filter(act=Act.UPLOAD_DELETED).latest("pk")
    assert (event.name, event.address) == ("ann", "127.0.0.1")
