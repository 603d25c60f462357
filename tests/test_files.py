"""Stored files: small ones lie in the database, others in a folder, and both behave alike."""

import resource
from io import BytesIO

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from digits import files
from digits.files import SMALL, SyncedFiles, is_small
from digits.models import SmallFile
from tests.factories import make_upload
from tests.storage import stored_files

pytestmark = pytest.mark.django_db
SIZES = [0, 1, SMALL, SMALL + 1]
NOT_SMALL_FILES = [
    "small/",
    "small/x.png",
    "small/-1",
    "small/-1.png",
    "small/1x.png",
    "small/1.5.png",
    "small/folder/1.png",
    "small/\u00b2.png",
    "small/" + "9" * 30 + ".png",
    "smaller/1.png",
    "other/small/1.png",
    "1.png",
    "",
]


def save(data: bytes, name: str = "folder/name.png") -> str:
    return default_storage.save(name, ContentFile(data))


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_found_read_and_deleted(size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    name = save(data)
    assert default_storage.exists(name)
    assert default_storage.size(name) == size
    with default_storage.open(name) as file:
        assert (file.read(), file.size) == (data, size)
    default_storage.delete(name)
    assert not default_storage.exists(name)
    assert stored_files() == []


@pytest.mark.parametrize("size", SIZES)
def test_a_missing_file_is_missing(size):
    name = save(bytes(size))
    default_storage.delete(name)
    with pytest.raises(FileNotFoundError):
        default_storage.open(name)
    with pytest.raises(FileNotFoundError):
        default_storage.size(name)
    default_storage.delete(name)


def test_the_name_of_a_small_file_has_its_key_and_suffix():
    name = save(b"few", "../../a strange/name.tar.gz")
    assert name == f"small/{SmallFile.objects.get().pk}.gz"
    assert save(b"few", "name") == f"small/{SmallFile.objects.latest('pk').pk}"


def test_the_name_of_a_large_file_is_its_place_in_the_folder(settings):
    name = save(bytes(SMALL + 1))
    assert name == "folder/name.png"
    assert default_storage.path(name) == str(settings.MEDIA_ROOT / name)


def test_a_small_file_has_no_path():
    with pytest.raises(NotImplementedError):
        default_storage.path(save(b"few"))


def test_two_large_files_of_one_name_are_two_files():
    names = [save(bytes([number]) * (SMALL + 1)) for number in range(2)]
    assert names[0] != names[1]
    for number, name in enumerate(names):
        with default_storage.open(name) as file:
            assert set(file.read()) == {number}


def test_a_file_of_a_stream_is_stored_from_where_it_stands():
    stream = BytesIO(b"all of it")
    name = default_storage.save("a.txt", File(stream))
    with default_storage.open(name) as file:
        assert file.read() == b"all of it"


@pytest.mark.parametrize("name", NOT_SMALL_FILES)
def test_a_name_that_only_looks_like_a_small_file_is_none(name):
    SmallFile.objects.create(pk=1, content=b"few")
    assert default_storage.read_all([name]) == {}
    if name not in ("", "small/"):  # which is a folder
        assert not default_storage.exists(name)
        with pytest.raises(FileNotFoundError):
            default_storage.open(name)
        default_storage.delete(name)
    assert SmallFile.objects.count() == 1


@pytest.mark.parametrize("name", ["../small/1", "small/../../1", "/small/1"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name):
    SmallFile.objects.create(pk=1, content=b"few")
    for act in (default_storage.exists, default_storage.open, default_storage.delete):
        with pytest.raises(SuspiciousFileOperation):
            act(name)
    assert default_storage.read_all([name]) == {}


def test_all_small_ones_are_read_by_one_query(django_assert_num_queries):
    small = {save(bytes([number])): bytes([number]) for number in range(40)}
    large, gone = save(bytes(SMALL + 1)), save(b"gone")
    default_storage.delete(gone)
    with django_assert_num_queries(1):
        assert default_storage.read_all([*small, large, gone]) == small


def test_nothing_is_read_without_a_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert default_storage.read_all([]) == {}
        assert default_storage.read_all(["large.png"]) == {}


def test_several_are_saved_by_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        names = default_storage.save_all([("a.png", b"one"), ("b", b"two"), ("c.png", b"")])
    assert default_storage.read_all(names) == dict(zip(names, (b"one", b"two", b""), strict=True))
    assert default_storage.save_all([]) == []


def test_the_files_of_a_row_go_with_it(django_capture_on_commit_callbacks):
    uploads = make_upload(b"few"), make_upload(bytes(SMALL + 1))
    assert len(stored_files()) == 2
    with django_capture_on_commit_callbacks(execute=True):
        for upload in uploads:
            upload.delete()
    assert stored_files() == []


def test_what_is_small_lies_in_the_database_unless_all_files_are_elsewhere(settings):
    assert is_small(SMALL)
    assert not is_small(SMALL + 1)
    assert not is_small(None)
    remote = {"default": {"BACKEND": "tests.storage.RemoteStorage"}}
    settings.STORAGES = settings.STORAGES | remote
    assert not is_small(1)


def test_a_file_in_new_folders_is_on_the_disk_with_all_of_them(tmp_path, monkeypatch):
    synced, sync = [], files.sync

    def noted(path) -> None:
        synced.append(path)
        sync(path)

    monkeypatch.setattr(files, "sync", noted)
    storage = SyncedFiles(tmp_path / "new")
    name = storage.save("a/b/c.txt", ContentFile(b"data"))
    with storage.open(name) as file:
        assert file.read() == b"data"
    folder = tmp_path / "new"
    assert synced[:4] == [folder / "a/b/c.txt", folder / "a/b", folder / "a", folder]


@pytest.fixture
def small_disk():
    """No file grows beyond 100 KB, as on a disk with so much room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_nothing_is_left_of_a_file_for_which_there_is_no_room(tmp_path, small_disk):
    storage = SyncedFiles(tmp_path)
    with pytest.raises(OSError, match="File too large"):
        storage.save("folder/large.png", ContentFile(bytes(300_000)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    name = storage.save("folder/large.png", ContentFile(bytes(1000)))
    with pytest.raises(OSError, match="File too large"):
        storage.save(name, ContentFile(bytes(300_000)))
    assert storage.size(name) == 1000
