"""Model versions: what ships is registered, and exactly one is active."""

import hashlib

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from digits.models import ModelVersion
from digits.versions import registry
from worker.reading.bundle import BUNDLED_MODEL, ModelError

pytestmark = pytest.mark.django_db


def test_a_fresh_install_has_version_1_active():
    version = ModelVersion.objects.get()
    assert (version.number, version.is_active) == (1, True)
    assert version.sha256 == hashlib.sha256(BUNDLED_MODEL.read_bytes()).hexdigest()
    assert version.metrics["evaluation"]["mnist"]["accuracy"] >= 0.994


def test_migrating_again_registers_nothing_twice():
    call_command("migrate", verbosity=0)
    assert ModelVersion.objects.count() == 1


def test_what_was_measured_anew_of_the_version_that_ships_is_taken_over():
    ModelVersion.objects.update(metrics={"architecture": "cnn"})
    call_command("migrate", verbosity=0)
    assert ModelVersion.objects.get().metrics["evaluation"]["mnist"]["accuracy"] >= 0.994


def test_a_further_version_is_stored_whole_and_not_active():
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    assert (version.number, version.is_active) == (2, False)
    with version.file.open("rb") as file:
        assert file.read() == BUNDLED_MODEL.read_bytes()


def test_two_versions_are_never_active():
    with pytest.raises(IntegrityError):
        ModelVersion.objects.create(number=2, is_active=True)


def test_a_model_in_a_storage_without_local_paths_is_fetched_and_kept_by_its_checksum(
    settings, tmp_path
):
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "tests.storage.RemoteStorage"}}
    settings.CONVERTED_DIR = tmp_path
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    with version.local_file() as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == version.sha256
    version.file.storage.delete(version.file.name)
    with version.local_file() as again:
        assert again == path
    path.unlink()
    with pytest.raises(ModelError, match="cannot be fetched"), version.local_file():
        pass
