"""`manage.py backup` and `restore`: an empty place gets the same history and files."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from tests.site import run_manage

SHOW = """
import hashlib, json
from django.core.files.storage import default_storage
from digits.models import AuditEvent, ModelVersion, Upload
def sha(file):
    with file.open("rb") as stored:
        return hashlib.sha256(stored.read()).hexdigest()
print(json.dumps({
    "uploads": [
        [one.pk, one.name, one.reading, sha(one.file), sha(one.preview) if one.preview else ""]
        for one in Upload.objects.order_by("pk")
    ],
    "versions": [[one.number, one.is_active, sha(one.file)] for one in ModelVersion.objects.all()],
}))
"""
FILL = """
from django.core.files.base import ContentFile
from digits.models import ModelVersion, Upload
version = ModelVersion.active()
for number, size in enumerate((100, 9000, 50000)):
    content = bytes([number]) * size
    one = Upload(name=f"{number}.png", status="done", reading=str(number), version=version)
    one.file.save("a.png", ContentFile(content), save=False)
    if size == 50000:
        one.preview.save("a.webp", ContentFile(content[:20000]), save=False)
    one.save()
"""


def add_to(path, text):
    path.write_text(path.read_text() + text)


def manage(folder, *words, status=0, **changes):
    done = run_manage(words, {"DATA_DIR": folder} | changes)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def shown(folder, **changes):
    found = manage(folder, "shell", "--no-imports", "-c", SHOW, **changes).stdout
    return json.loads(found.splitlines()[-1])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The data folder of an installation with three uploads."""
    folder = tmp_path_factory.mktemp("site")
    manage(folder, "migrate", "--verbosity", "0")
    manage(folder, "shell", "--no-imports", "-c", FILL)
    return folder


@pytest.fixture(scope="module")
def backup(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("backups") / "first"
    out = manage(site, "backup", folder).stdout
    assert "database and 4 files" in out
    assert "active version 1" in out
    return folder


@pytest.fixture
def copy(backup, tmp_path):
    """A copy of the backup, to be damaged."""
    return shutil.copytree(backup, tmp_path / "copy")


def test_a_restored_site_has_the_same_history_files_and_active_version(site, backup, tmp_path):
    out = manage(tmp_path / "new", "restore", backup).stdout
    assert "4 files, active version 1" in out
    assert shown(tmp_path / "new") == shown(site)
    assert (tmp_path / "new/secret_key").read_text() == (site / "secret_key").read_text()
    assert manage(tmp_path / "new", "check_files").returncode == 0


def test_nobody_else_may_read_a_backup(backup):
    assert backup.stat().st_mode & 0o077 == 0
    assert all(not path.stat().st_mode & 0o077 for path in backup.rglob("*"))


def test_sha256sum_checks_a_backup(backup):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=backup, check=False
    )
    assert done.returncode == 0


def test_it_is_recorded_who_made_a_backup(site, backup):
    with sqlite3.connect(site / "db.sqlite3") as database:
        found = database.execute("SELECT about, detail FROM digits_auditevent WHERE act='exported'")
        assert found.fetchall()[0] == ("backup", f"to {backup}")


def test_a_later_backup_links_the_files_of_the_one_before(site, backup, tmp_path):
    second = backup.parent / "second"
    manage(site, "backup", second, "--previous", backup)
    files = [path for path in (second / "media").rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        assert os.path.samefile(path, backup / path.relative_to(second))
    manage(tmp_path / "new", "restore", second)
    assert shown(tmp_path / "new") == shown(site)


def test_a_restore_that_was_cut_off_is_begun_again(site, backup, tmp_path):
    new = tmp_path / "new"
    shutil.copytree(backup / "media", new / "media")
    cut = next(path for path in (new / "media/uploads").rglob("*") if path.is_file())
    cut.write_bytes(b"half")
    manage(new, "restore", backup)
    assert shown(new) == shown(site)


def test_rows_deleted_while_it_was_made_are_not_restored(copy, tmp_path):
    """Files of two uploads went after the database was copied: one whole, of the other its preview
    alone, as when it is read again."""
    manifest = json.loads((copy / "backup.json").read_text())
    manifest["deleted"] = [["digits.Upload", 2, "file"], ["digits.Upload", 3, "preview"]]
    (copy / "backup.json").write_text(json.dumps(manifest))
    out = manage(tmp_path / "new", "restore", copy).stdout
    assert "2 files were deleted while it was made" in out
    found = shown(tmp_path / "new")["uploads"]
    assert [(one[0], one[4]) for one in found] == [(1, ""), (3, "")]


def test_a_file_that_is_gone_is_named_and_the_rest_is_in_the_backup(tmp_path):
    folder = tmp_path / "site"
    manage(folder, "migrate", "--verbosity", "0")
    manage(folder, "shell", "--no-imports", "-c", FILL)
    gone = max((folder / "media/uploads").rglob("*.png"), key=lambda path: path.stat().st_size)
    gone.unlink()
    done = manage(folder, "backup", tmp_path / "backup")
    assert f"upload 3, file: {gone.relative_to(folder / 'media')}" in done.stderr
    assert "database and 3 files" in done.stdout
    manage(tmp_path / "new", "restore", tmp_path / "backup")
    manage(tmp_path / "new", "check_files", status=1)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "backup.json").unlink(), "not finished: it has no backup.json"),
        (lambda folder: (folder / "backup.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "backup.json").write_text('{"format": 9}'), "does not know"),
        (lambda folder: (folder / "SHA256SUMS").write_text("x\n"), "none of sha256sum"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "does not name database"),
        (lambda folder: (folder / "database.sqlite3").write_bytes(b"no"), "is damaged"),
        (lambda folder: shutil.rmtree(folder / "media"), "cannot be read"),
        (
            lambda folder: add_to(folder / "SHA256SUMS", f"{'0' * 64}  ../../passwd\n"),
            "outside of the backup",
        ),
        (
            lambda folder: (folder / "backup.json").write_text(
                (folder / "backup.json").read_text().replace("digits.0001", "digits.9001")
            ),
            "of a later release",
        ),
        (
            lambda folder: (folder / "backup.json").write_text(
                (folder / "backup.json").read_text().replace('"sqlite"', '"postgresql"')
            ),
            "this installation has sqlite",
        ),
    ],
)
def test_what_is_no_whole_backup_that_fits_is_refused(copy, tmp_path, damage, words):
    damage(copy)
    done = manage(tmp_path / "new", "restore", copy, status=1)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new/media").exists()


def test_nothing_is_restored_over_what_is_there(site, backup):
    before = shown(site)
    done = manage(site, "restore", backup, status=1)
    assert "the database is not empty" in done.stderr
    assert shown(site) == before


def test_a_backup_goes_into_a_new_folder_alone(site, tmp_path):
    (tmp_path / "file").write_text("mine")
    done = manage(site, "backup", tmp_path, status=1)
    assert "is not empty" in done.stderr
    done = manage(site, "backup", tmp_path / "file", status=1)
    assert "cannot be written" in done.stderr
    done = manage(site, "backup", tmp_path / "new", "--previous", tmp_path, status=1)
    assert "is no backup" in done.stderr
