"""Files may lie in a storage that has no local paths: uploads, batches and models work there."""

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from digits.accounts.owners import Owner
from digits.batches import parts, submission
from digits.models import ModelVersion, Upload
from digits.tasks import serving
from digits.tasks.batches import work_on_part
from digits.tasks.uploads import work_on_uploads
from digits.uploads import queue
from digits.uploads.exports import uploads_as_csv
from digits.versions import registry
from tests.bulks import kaggle_csv, zip_of
from tests.factories import make_upload
from tests.pictures import in_lines, mnist_png, on_paper, png
from worker.files import results
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


def test_all_of_a_full_page_is_stored(redis, mnist, remote):
    rows = np.random.default_rng(2).integers(0, 1000, (30, 20)).tolist()
    upload = make_upload(png(in_lines(mnist, rows, size=40)))
    work_on_uploads(queue.claim())
    upload.refresh_from_db()
    assert upload.digits.count() == 600
    assert len(upload.reading.replace(" ", "")) >= 594  # the rest is called no digit


def test_what_is_left_out_is_stored_and_stands_in_the_tables(redis, mnist):
    cut = png(in_lines(mnist, [[0, 1, 2]])[:, 46:])
    upload = make_upload(cut)
    work_on_uploads(queue.claim())
    upload.refresh_from_db()
    assert (upload.reading, upload.cautions) == ("721", "at_edge")
    assert list(uploads_as_csv(Upload.objects.all()))[1].strip().endswith(",at_edge")
    batch = submission.submit(
        [SimpleUploadedFile("a.zip", zip_of({"1.png": cut}))], Owner(None, {})
    )
    work_on_part(parts.claim())
    (item,) = batch.items_in_order()
    assert item.cautions == "at_edge"
    assert "".join(results.detailed([item])).strip().endswith(",at_edge")


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
