"""A full disk and a database that does not answer in time are told, and nothing is kept."""

import errno
import sqlite3
from contextlib import contextmanager

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection

from digits.models import Batch, Upload
from digits.shortages import FULL, shortage_of
from digits.sqlite import base
from tests.bulks import kaggle_csv
from tests.pictures import noisy_page
from tests.storage import stored_files
from tests.test_asgi import CLASSIFY, answer, form, fresh_site, piece
from tests.test_programs import Ending, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]


@pytest.fixture
def full(settings):
    """Neither small files nor others can be stored."""
    full = {"BACKEND": "tests.storage.FullStorage"}
    settings.STORAGES = settings.STORAGES | {"default": full, "files": full}


@contextmanager
def database_locked(monkeypatch):
    """Another process is writing, and does not end."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL locks rows, not the database")
    monkeypatch.setattr(base, "LONGEST_WAIT", 0.1)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    connection.close()
    other = sqlite3.connect(
        django_settings.DATABASES["default"]["NAME"], uri=True, isolation_level=None
    )
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
        connection.close()


def file(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("page.png", data)


def test_a_full_disk_is_told_on_the_site(client, full, seven):
    client.raise_request_exception = False
    page = client.post("/", {"file": file(seven)})
    assert (page.status_code, page["Retry-After"]) == (507, "300")
    assert "The disk of this site is full" in page.content.decode()
    assert Upload.objects.count() == 0
    assert stored_files() == []


def test_a_full_disk_is_told_to_programs(monkeypatch, mnist, full):
    body, headers = form("page.png", noisy_page(mnist))
    status, got, _ = answer(
        piece(body), path=CLASSIFY, headers=headers, site=fresh_site(monkeypatch)
    )
    assert (status, got["retry-after"]) == (507, "300")
    assert Upload.objects.count() == 0
    assert stored_files() == []


def test_some_of_the_disk_is_kept_free(client, settings, monkeypatch, seven, mnist):
    client.raise_request_exception = False
    settings.MIN_FREE_BYTES = 2**60
    table = SimpleUploadedFile("table.csv", kaggle_csv(mnist, 3))
    assert client.post("/", {"file": file(seven)}).status_code == 507
    assert client.post("/batches/", {"file": table}).status_code == 507
    assert post(fresh_site(monkeypatch), seven)[0] == 507
    assert (Upload.objects.count(), Batch.objects.count(), stored_files()) == (0, 0, [])
    settings.MIN_FREE_BYTES = 0
    assert client.post("/", {"file": file(seven)}).status_code == 302


def test_a_database_that_is_locked_is_told_on_the_site(client, monkeypatch, seven):
    client.raise_request_exception = False
    client.get("/")
    with database_locked(monkeypatch):
        page = client.post("/", {"file": file(seven)})
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "did not answer in time" in page.content.decode()
    assert client.post("/", {"file": file(seven)}).status_code == 302
    assert Upload.objects.count() == 1


def test_a_database_that_is_locked_is_told_to_programs(monkeypatch, seven):
    site = fresh_site(monkeypatch)
    with Ending():
        assert post(site, seven)[0] == 200
    for known in (site, fresh_site(monkeypatch)):  # by the short way, and by Django
        with database_locked(monkeypatch):
            status, headers, text = post(known, seven)
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"did not answer in time" in text
    assert Upload.objects.count() == 1


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "x"), OperationalError("no table")])
def test_other_errors_are_no_shortage(error):
    if connection.vendor == "sqlite" or not isinstance(error, OperationalError):
        assert shortage_of(error) is None


def test_an_error_that_was_made_of_another_comes_from_it():
    error = RuntimeError("y")
    error.__cause__ = OSError(errno.ENOSPC, "x")
    assert shortage_of(error) is FULL
