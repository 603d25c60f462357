"""A full disk and a database that does not answer in time are told, and nothing is kept."""

import errno
import os
import sqlite3
import subprocess
from contextlib import contextmanager

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection

from digits.models import Batch, Upload
from digits.shortages import CROWDED, FAILING, FULL, shortage_of
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


@contextmanager
def read_only(folder):
    """A file system in a folder that may only be read."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "digits", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


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


@pytest.mark.parametrize(
    "error", [ValueError("x"), FileNotFoundError(2, "x"), OperationalError("no table")]
)
def test_other_errors_are_no_shortage(error):
    if connection.vendor == "sqlite" or not isinstance(error, OperationalError):
        assert shortage_of(error) is None


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (OSError(errno.EROFS, "x"), FAILING),
        (OSError(errno.EIO, "x"), FAILING),
        (PermissionError(errno.EACCES, "x"), FAILING),
        (OSError(errno.EMFILE, "x"), CROWDED),
    ],
)
def test_a_disk_that_fails_and_a_lack_of_descriptors_are_told_apart(error, shortage):
    assert shortage_of(error) is shortage


@pytest.mark.parametrize(
    "text",
    ["disk I/O error", "attempt to write a readonly database", "unable to open database file"],
)
def test_a_disk_that_fails_is_told_where_the_database_lies_on_it(text):
    if connection.vendor == "sqlite":
        assert shortage_of(OperationalError(text)) is FAILING


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
def test_a_folder_that_takes_no_change_is_told_and_comes_back(client, settings, tmp_path, mnist):
    client.raise_request_exception = False
    settings.MEDIA_ROOT = tmp_path
    page = noisy_page(mnist)
    with read_only(tmp_path):
        refused = client.post("/", {"file": file(page)})
        assert (refused.status_code, refused["Retry-After"]) == (503, "60")
        assert "cannot use its disk" in refused.content.decode()
        assert Upload.objects.count() == 0
    assert client.post("/", {"file": file(page)}).status_code == 302


def test_an_error_that_was_made_of_another_comes_from_it():
    error = RuntimeError("y")
    error.__cause__ = OSError(errno.ENOSPC, "x")
    assert shortage_of(error) is FULL
