"""The short way of `/mnist/classify`: its answers are Django's, and the unusual is left to it."""

import logging
import re
import threading
import time

import pytest
from django.db import connection

from digits.accounts.owners import Owner
from digits.models import Upload
from digits.models.uploads import Source, Status
from digits.uploads import queue
from digits.views import program
from tests.factories import make_upload
from tests.test_asgi import CLASSIFY, answer, form, fresh_site, piece
from webapp import programs
from webapp.asgi import Application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]
PLAIN = "text/plain; charset=utf-8"
ENDS = {
    "done": {"status": Status.DONE, "reading": "42"},
    "nothing": {"status": Status.DONE, "reading": ""},
    "failed": {"status": Status.FAILED, "error": "The file is damaged."},
}


class Ending:
    """Ends every upload with the same fields, as a worker does; `with Ending(...)`."""

    def __init__(self, **fields):
        self.fields = {"status": Status.DONE, "reading": "7", "error": ""} | fields
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.is_over.is_set():
                queue.finish_all(dict.fromkeys(queue.claim(), self.fields))
                time.sleep(0.01)
        finally:
            connection.close()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def post(site: Application, data: bytes, **options) -> tuple[int, dict[str, str], bytes]:
    body, headers = form("digit.png", data)
    options["headers"] = headers | options.get("headers", {})
    status, headers, text = answer(
        piece(options.pop("body", body)), path=CLASSIFY, site=site, **options
    )
    return status, headers, re.sub(rb"upload \d+", b"upload N", text)


@pytest.fixture
def site(monkeypatch, seven) -> Application:
    """A site that has answered once, so that it knows the short way."""
    site = fresh_site(monkeypatch)
    with Ending():
        status, headers, text = post(site, seven)
    assert (status, headers["content-type"]) == (200, PLAIN)
    assert text == b"Predicted number for input image: 7\n"
    return site


@pytest.fixture
def short(site, monkeypatch) -> Application:
    """The same, where Django must not be asked again."""

    async def refuse(*_):
        raise AssertionError("expected the short way, Django was asked")

    monkeypatch.setattr(site.programs, "answer", refuse)
    return site


@pytest.mark.parametrize("end", ENDS)
def test_an_answer_is_that_of_django(short, monkeypatch, seven, end, caplog):
    with Ending(**ENDS[end]):
        mine = post(short, seven)
        logged = [(one.name, one.levelno, one.getMessage()) for one in caplog.records]
        caplog.clear()
        assert mine == post(fresh_site(monkeypatch), seven)
    assert logged == [(one.name, one.levelno, one.getMessage()) for one in caplog.records]
    assert bool(logged) == (mine[0] >= 400)


def test_one_who_waits_too_long_is_answered_as_by_django(short, monkeypatch, seven):
    monkeypatch.setattr(program, "WAIT_SECONDS", 0.1)
    mine = post(short, seven)
    assert mine[0] == 504
    assert mine == post(fresh_site(monkeypatch), seven)


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (405, {"method": "GET"}),
        (400, {"body": b"no form"}),
        (400, {"body": b"--line\r\n\r\n--line--\r\n"}),
        (400, {"headers": {"content-type": "text/plain"}}),
        (400, {"headers": {"content-type": "multipart/form-data"}}),
        (401, {"headers": {"authorization": "Bearer wrong"}}),
        (400, {"headers": {"host": "elsewhere.example"}}),
    ],
)
def test_what_is_unusual_is_left_to_django(site, monkeypatch, settings, seven, status, options):
    settings.ALLOWED_HOSTS = ["localhost"]
    before = Upload.objects.count()
    theirs = post(fresh_site(monkeypatch), seven, **options)
    assert post(site, seven, **options) == theirs
    assert theirs[0] == status
    assert Upload.objects.count() == before


@pytest.mark.parametrize("data", [b"", b"these are words", b"\x89PNG\r\n\x1a\n" + b"\0" * 100_000])
def test_a_file_that_is_refused_is_refused_by_django(site, monkeypatch, data):
    assert post(site, data) == post(fresh_site(monkeypatch), data)
    assert Upload.objects.count() == 1


def test_a_name_keeps_no_character_that_a_database_may_refuse(seven):
    body, headers = form("digit\0\n.png", seven)
    assert (
        program.checked_file(headers["content-type"].split("=")[1].encode(), body).name
        == "digit.png"
    )


def test_a_full_queue_is_told_by_django(site, settings, seven):
    make_upload()
    settings.MAX_QUEUED = 1
    queue.room.count()
    status, headers, _ = post(site, seven)
    assert (status, headers["retry-after"]) == (429, "10")
    settings.MAX_QUEUED = 10
    queue.room.count()


def test_where_everybody_must_sign_in_nobody_goes_the_short_way(site, settings, seven):
    settings.ANONYMOUS = False
    assert post(site, seven)[0] == 401
    assert Upload.objects.count() == 1


@pytest.mark.parametrize("second", [b"host", b"x_forwarded_host"])
def test_headers_that_django_sees_otherwise_are_left_to_it(second):
    headers = [(b"host", b"localhost"), (second, b"evil.example")]
    assert programs._given({"headers": headers}) == {}
    assert programs._given({"headers": headers[:1]}) == dict(headers[:1])


def test_each_name_of_the_site_is_learned_by_itself(short, settings, seven):
    settings.ALLOWED_HOSTS = ["*"]
    with Ending(), pytest.raises(AssertionError, match="Django was asked"):
        post(short, seven, headers={"host": "other.example"})
    with Ending():
        assert post(short, seven)[0] == 200


def test_behind_a_proxy_it_is_told_who_sends_and_that_https_is_used(
    monkeypatch, settings, proxies, seven
):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 60
    monkeypatch.setattr(program, "WAIT_SECONDS", 0.1)
    site = fresh_site(monkeypatch)
    https = {"x-forwarded-proto": "https"}
    with Ending():
        _, learned, _ = post(site, seven, headers=https)
    for address in ("2.0.0.1", "2.0.0.2", "1.1.1.1, 2.0.0.2, 10.0.0.3"):
        status, headers, _ = post(site, seven, headers=https | {"x-forwarded-for": address})
        assert status == 504
        assert headers["strict-transport-security"] == learned["strict-transport-security"]
    waiting = Upload.objects.filter(status=Status.QUEUED)
    assert len(set(waiting.values_list("sender", flat=True))) == 2
    assert post(site, seven)[0] == 403  # by HTTP


def test_an_upload_belongs_to_nobody_and_came_from_a_program(short, seven):
    with Ending():
        post(short, seven)
    upload = Upload.objects.latest("pk")
    assert (upload.user, upload.visitor, upload.source) == (None, "", Source.API)
    for owner in (Owner(None, {}), Owner(None, None, "127.0.0.1")):
        assert not Upload.objects.sent_by(owner).exists()
    assert (upload.name, upload.file.read()) == ("digit.png", seven)


def test_an_error_of_the_site_is_logged_and_told(short, seven, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE digits_smallfile RENAME TO away")
    try:
        status, headers, text = post(short, seven)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO digits_smallfile")
    assert (status, headers["content-type"]) == (500, PLAIN)
    assert text == b"This is an error of the site, and it was logged.\n"
    (record,) = [one for one in caplog.records if one.name == "django.request"]
    assert record.levelno == logging.ERROR
    assert "digits_smallfile" in str(record.exc_info[1])
