"""`manage.py check_files` finds files without rows, and rows without files."""

import os
import time

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from digits.files import SMALL
from digits.models import ModelVersion, Upload
from digits.versions.registry import register_bundled
from worker.reading.bundle import file_sha256

pytestmark = pytest.mark.django_db
LARGE, LITTLE = bytes(SMALL + 1), b"small"


def save(content: bytes, hours: float = 2) -> str:
    """Store a file, so long ago."""
    name = default_storage.save("uploads/2026/01/01/a.png", ContentFile(content))
    if len(content) > SMALL:
        then = time.time() - hours * 3600
        os.utime(default_storage.path(name), (then, then))
    return name


@pytest.fixture(autouse=True)
def no_models():
    """The model that ships has its file in another folder than this test's."""
    ModelVersion.objects.all().delete()


@pytest.mark.parametrize("content", [LARGE, LITTLE])
def test_files_without_rows_are_found_and_deleted_on_request(capsys, content):
    kept, orphan = save(content), save(content)
    Upload.objects.create(file=kept)
    call_command("check_files")
    assert "files without rows: 1" in capsys.readouterr().out
    assert default_storage.exists(orphan)
    call_command("check_files", "--delete")
    assert "deleted" in capsys.readouterr().out
    assert not default_storage.exists(orphan)
    assert default_storage.exists(kept)
    call_command("check_files")
    assert "files without rows: 0" in capsys.readouterr().out


def test_a_file_that_may_still_get_its_row_is_left_alone(capsys):
    young = save(LARGE, hours=0)
    call_command("check_files", "--delete")
    assert "files without rows: 0" in capsys.readouterr().out
    assert default_storage.exists(young)


@pytest.mark.parametrize("content", [LARGE, LITTLE])
def test_rows_without_files_are_named(capsys, content):
    upload = Upload.objects.create(file=save(content))
    default_storage.delete(upload.file.name)
    with pytest.raises(CommandError, match="1 files are gone"):
        call_command("check_files")
    out = capsys.readouterr().out
    assert f"upload {upload.pk}, file: {upload.file.name}" in out


def test_what_can_be_made_anew_is_mended(capsys):
    upload = Upload.objects.create(file=save(LARGE), preview=save(LARGE))
    default_storage.delete(upload.preview.name)
    shipped = register_bundled()
    shipped.file.storage.delete(shipped.file.name)
    call_command("check_files", "--mend")
    out = capsys.readouterr().out
    assert "rows without files: 2" in out
    upload.refresh_from_db()
    shipped.refresh_from_db()
    assert (upload.preview.name, default_storage.exists(upload.file.name)) == ("", True)
    with shipped.local_file() as path:
        assert file_sha256(path) == shipped.sha256
    call_command("check_files")
    assert "rows without files: 0" in capsys.readouterr().out


def test_what_is_lost_is_named_although_the_rest_is_mended(capsys):
    upload = Upload.objects.create(file=save(LARGE), preview=save(LARGE))
    for file in (upload.file, upload.preview):
        default_storage.delete(file.name)
    with pytest.raises(CommandError, match="1 files are gone"):
        call_command("check_files", "--mend")
    assert f"upload {upload.pk}, file: {upload.file.name}\n" in capsys.readouterr().out
