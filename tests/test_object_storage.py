"""Files in object storage behave as those in a folder, and so do its errors."""

import os
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import call_command
from django.utils import timezone

from digits.files import SMALL
from digits.management.commands import check_files
from digits.models import ModelVersion
from digits.object_storage import IN_MEMORY
from digits.versions import registry
from tests.buckets import KEYS, Buckets
from tests.site import run_manage
from webapp import values
from worker.reading.bundle import BUNDLED_MODEL, ModelError, file_sha256

LARGE = os.urandom(SMALL + 1)


@pytest.fixture(scope="module")
def server():
    with Buckets() as running:
        yield running


@pytest.fixture
def bucket(server, settings, monkeypatch, tmp_path):
    """The site's files lie in a bucket, which is empty."""
    server.bucket.objects.all().delete()
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("MEDIA_URL", server.url)
    _use(settings, values.bucket("MEDIA_URL"))
    settings.CONVERTED_DIR = tmp_path / "converted"
    return server


def _use(settings, options):
    backend = {"BACKEND": "digits.object_storage.ObjectFiles", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"files": backend}


def save(data: bytes, name: str = "folder/name.png") -> str:
    return default_storage.save(name, ContentFile(data))


@pytest.mark.django_db
@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, IN_MEMORY + 1])
def test_a_file_comes_back_as_it_was_and_goes_when_it_is_deleted(bucket, size):
    data = os.urandom(size)
    name = save(data)
    assert default_storage.exists(name)
    assert default_storage.size(name) == size
    with default_storage.open(name) as file:
        assert file.read() == data
        file.seek(0)
        assert b"".join(file.chunks()) == data
    assert bucket.names() == ([f"here/{name}"] if size > SMALL else [])
    default_storage.delete(name)
    assert not default_storage.exists(name)
    assert bucket.names() == []
    default_storage.delete(name)  # as often as one likes


def test_it_is_known_when_a_file_was_stored_and_what_lies_in_a_folder(bucket):
    files = storages["files"]
    name = files.save("a/b/one.png", ContentFile(LARGE))
    assert abs(files.get_modified_time(name) - timezone.now()) < timedelta(minutes=1)
    assert files.listdir("a") == (["b"], [])
    assert files.listdir("a/b") == ([], ["one.png"])


def test_a_missing_file_is_missing_as_on_a_disk(bucket):
    files = storages["files"]
    assert not files.exists("none.png")
    for ask in (files.open, files.size, files.get_modified_time):
        with pytest.raises(FileNotFoundError):
            ask("none.png")


def test_a_server_that_is_gone_is_a_disk_that_fails(bucket, settings):
    options = values.bucket("MEDIA_URL") | {"endpoint_url": "http://127.0.0.1:9"}
    _use(settings, options)
    files = storages["files"]
    for ask in (
        lambda: files.save("one.png", ContentFile(LARGE)),
        lambda: files.open("one.png"),
        lambda: files.delete("one.png"),
        lambda: files.exists("one.png"),
        lambda: files.size("one.png"),
        lambda: files.listdir(""),
    ):
        with pytest.raises(OSError, match="does not answer") as caught:
            ask()
        assert not isinstance(caught.value, FileNotFoundError)


def test_a_start_without_the_server_ends_with_its_reason(tmp_path):
    url = "s3://digits?endpoint=http://127.0.0.1:9"
    done = run_manage(["migrate"], {"DATA_DIR": tmp_path, "MEDIA_URL": url, **KEYS})
    assert done.returncode == 1
    assert "the model that ships cannot be stored" in done.stderr
    assert "the object storage does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bucket_that_is_not_there_refuses(bucket, settings):
    _use(settings, values.bucket("MEDIA_URL") | {"bucket_name": "elsewhere"})
    files = storages["files"]
    for ask in (
        lambda: files.save("one.png", ContentFile(LARGE)),
        lambda: files.open("one.png"),
        lambda: files.exists("one.png"),
    ):
        with pytest.raises(OSError, match=r"refuses|does not answer") as caught:
            ask()
        assert not isinstance(caught.value, FileNotFoundError)


@pytest.mark.django_db
def test_a_model_is_fetched_once_and_a_damaged_copy_again(bucket, settings):
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    assert bucket.names() == [f"here/{version.file.name}"]
    with version.local_file() as path:
        assert path.is_relative_to(settings.CONVERTED_DIR)
        assert file_sha256(path) == version.sha256
    bucket.bucket.objects.all().delete()
    with version.local_file() as again:
        assert again == path
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be fetched"), version.local_file():
        pass
    version.file.save("again.keras", ContentFile(BUNDLED_MODEL.read_bytes()))
    with version.local_file() as third:
        assert file_sha256(third) == version.sha256


@pytest.mark.django_db
def test_stray_files_are_found_in_a_bucket(bucket, capsys, monkeypatch):
    monkeypatch.setattr(check_files, "SETTLED_SECONDS", -60)
    for version in ModelVersion.objects.all():
        storages["files"].save(version.file.name, ContentFile(b"model"))
    storages["files"].save("uploads/stray.png", ContentFile(LARGE))
    call_command("check_files", "--delete")
    assert "files without rows: 1 (8.0" in capsys.readouterr().out
    assert bucket.names() == [f"here/{one.file.name}" for one in ModelVersion.objects.all()]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("", None),
        ("s3://bucket", ("bucket", "", None, None, None)),
        ("s3://my.bucket/a/b/", ("my.bucket", "a/b", None, None, None)),
        (
            "s3://b-1/p?endpoint=http://s3:9000&region=x&addressing=path",
            ("b-1", "p", "http://s3:9000", "x", "path"),
        ),
    ],
)
def test_an_address_says_where_files_lie(monkeypatch, url, options):
    monkeypatch.setenv("MEDIA_URL", url)
    found = values.bucket("MEDIA_URL")
    assert (found and tuple(found.values())) == options


@pytest.mark.parametrize(
    "url",
    [
        "bucket",
        "http://bucket/a",
        "s3://",
        "s3:///prefix",
        "s3://Bucket",
        "s3://key:secret@bucket",
        "s3://bucket?endpoint=s3.example.org",
        "s3://bucket?endpoint=https://s3.example.org/path",
        "s3://bucket?addressing=other",
        "s3://bucket?acl=public",
    ],
)
def test_another_address_is_refused_by_name(monkeypatch, url):
    monkeypatch.setenv("MEDIA_URL", url)
    with pytest.raises(ImproperlyConfigured, match=r"MEDIA_URL to be s3://bucket/prefix"):
        values.bucket("MEDIA_URL")
