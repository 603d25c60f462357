"""Files may lie in a storage that has no local paths: uploads, batches and models work there."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from digits.accounts.owners import Owner
from digits.batches import parts, submission
from digits.models import ModelVersion
from digits.tasks import serving
from digits.tasks.batches import work_on_part
from digits.tasks.uploads import work_on_uploads
from digits.uploads import queue
from digits.versions import registry
from tests.bulks import kaggle_csv, zip_of
from tests.factories import make_upload
from tests.pictures import mnist_png, on_paper, png
from worker.reading.bundle import BUNDLED_MODEL

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def remote(settings, monkeypatch):
    """A storage elsewhere, with the active version's model, and a process that loaded nothing."""
    remote = {"default": {"BACKEND": "tests.storage.RemoteStorage"}}
    settings.STORAGES = settings.STORAGES | remote
    monkeypatch.setattr(serving, "process", serving.Serving())
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    ModelVersion.objects.filter(is_active=True).update(is_active=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_active=True)
    return version


def test_an_upload_is_read_and_gets_its_preview(redis, mnist, remote, client):
    upload = make_upload(png(on_paper(mnist.images[0], size=800)))
    work_on_uploads(queue.claim())
    upload.refresh_from_db()
    assert (upload.reading, upload.version) == ("7", remote)
    assert upload.preview.open("rb").read()[8:12] == b"WEBP"


@pytest.mark.parametrize("kind", ["csv", "zip"])
def test_a_batch_is_read(redis, mnist, kind):
    images = {f"{n}.png": mnist_png(mnist, n) for n in range(3)}
    data = kaggle_csv(mnist, 3) if kind == "csv" else zip_of(images)
    file = SimpleUploadedFile(f"three.{kind}", data)
    batch = submission.submit([file], Owner(None, {}))
    work_on_part(parts.claim())
    batch.refresh_from_db()
    assert (batch.status, batch.bad) == ("done", 0)
    assert [item.reading for item in batch.items_in_order()] == ["7", "2", "1"]
