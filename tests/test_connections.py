"""Slow clients, many connections and endless headers: none of them stops the site."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from digits import connections
from tests.site import eventually
from tests.test_asgi import all_of
from webapp.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def serving() -> Iterator[tuple]:
    """The address of a server of the site, as `manage.py serve` starts it."""
    with socket.create_server(("127.0.0.1", 0), backlog=2000) as listening:
        server = connections.Server(connections.config(application, timeout_keep_alive=60))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def connected(address: tuple, *sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=20) as connection:
        for some in sent:
            connection.sendall(some)
        yield connection


def is_answered(connection: socket.socket) -> bool:
    """Whether a request for /health/live is answered as it should be."""
    received = b""
    while not received.endswith(b"ok\n"):
        some = connection.recv(65536)
        if not some:
            return False
        received += some
    return received.startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def hurried(settings):
    settings.HEADER_SECONDS = settings.BODY_SECONDS = 1


@pytest.mark.parametrize("sent", [b"", b"GET", GET[:-2], POST[:40], GET + b"GET /hea"])
def test_a_request_whose_headers_do_not_come_is_ended(hurried, sent):
    with serving() as address, connected(address, sent) as connection:
        started = time.monotonic()
        assert b"HTTP/1.1 408 " in all_of(connection)
        assert 0.9 < time.monotonic() - started < 4


def test_headers_that_come_byte_by_byte_are_ended_all_the_same(hurried):
    with serving() as address, connected(address) as connection:
        with contextlib.suppress(ConnectionError):
            for number in range(100):
                connection.sendall(GET[number % 30 : number % 30 + 1].replace(b"\n", b"x"))
                time.sleep(0.1)
        assert not connection.recv(1)[1:]


def test_a_connection_may_rest_between_two_requests(hurried):
    with serving() as address, connected(address, GET) as connection:
        assert is_answered(connection)
        time.sleep(2.5)
        connection.sendall(GET)
        assert is_answered(connection)


def test_a_body_that_comes_byte_by_byte_is_refused(hurried):
    with serving() as address, connected(address, POST) as connection:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 8:
                connection.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - started < 5


def test_a_client_that_takes_nothing_of_its_answer_is_left(hurried):
    with serving() as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.settimeout(20)
        page = b"GET /api/schema/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(page * 100)
        time.sleep(4)
        assert all_of(connection).count(b"HTTP/1.1 200 ") < 100


def test_endless_headers_are_refused():
    with serving() as address, connected(address) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(GET[:-2] + b"X-More: 1234567\r\n" * 8000)
        assert b"HTTP/1.1 431 " in all_of(connection)


def test_an_address_has_so_many_connections_and_others_go_on(settings):
    settings.MAX_CONNECTIONS_OF_ADDRESS = 3
    with serving() as address, contextlib.ExitStack() as opened:
        for _ in range(3):
            connection = opened.enter_context(connected(address, GET))
            assert is_answered(connection)
        with connected(address, GET) as fourth:
            refused = all_of(fourth)
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"Too many connections" in refused
        opened.close()

        def has_room() -> bool:
            with connected(address, GET) as connection:
                return is_answered(connection)

        eventually(has_room, 5)


def test_connections_of_a_proxy_are_not_counted(settings, proxies):
    settings.MAX_CONNECTIONS_OF_ADDRESS = 1
    with serving() as address, connected(address, GET) as one, connected(address, GET) as two:
        for connection in (one, two):
            assert is_answered(connection)


@pytest.mark.parametrize("path", ["/health/live", "/uploads/", "/api/v1/digits/", "/admin/"])
def test_a_large_body_is_refused_where_none_belongs(path):
    start = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n".encode()
    with serving() as address, connected(address, start) as connection:
        assert all_of(connection).startswith(b"HTTP/1.1 413 ")
