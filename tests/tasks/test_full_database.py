"""A database without room for readings takes none, and no upload or row is to blame for that."""

import contextlib
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from digits.accounts.owners import Owner
from digits.batches import parts, submission
from digits.models import BatchPart, ModelVersion, Upload
from digits.tasks import serving
from digits.tasks.batches import work_on_part
from digits.tasks.uploads import work_on_uploads
from digits.uploads import queue
from digits.versions import registry
from tests.bulks import kaggle_csv
from tests.factories import make_upload
from tests.pictures import in_lines, png
from worker.reading.bundle import BUNDLED_MODEL

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis")]
TRIES = 4  # more than an upload has that is to blame


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """A process that has loaded nothing, and the version that ships."""
    monkeypatch.setattr(serving, "process", serving.Serving())
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    ModelVersion.objects.exclude(pk=version.pk).update(is_active=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_active=True)


@contextlib.contextmanager
def full_database():
    """The database may not grow. PostgreSQL has no such limit for a while."""
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite can be kept from growing")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1000000000")


def let_leases_run_out(model):
    model.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_an_upload_waits_until_there_is_room(mnist):
    digits = [list(range(start, start + 8)) for start in range(0, 64, 8)]
    upload = make_upload(png(in_lines(mnist, digits)))
    with full_database():
        for _ in range(TRIES):
            work_on_uploads(queue.claim() or queue.claim_large())
            upload.refresh_from_db()
            assert (upload.status, upload.attempts, upload.digits.count()) == ("running", 0, 0)
            let_leases_run_out(Upload)
            queue.sweep()
    work_on_uploads(queue.claim() or queue.claim_large())
    upload.refresh_from_db()
    assert (upload.status, upload.attempts) == ("done", 1)
    assert upload.digits.count() >= 64


def test_the_rows_of_a_batch_wait_until_there_is_room(mnist):
    file = SimpleUploadedFile("rows.csv", kaggle_csv(mnist, 200, labels=True))
    batch = submission.submit([file], Owner(None, {}))
    with full_database():
        for _ in range(TRIES):
            work_on_part(parts.claim())
            part = BatchPart.objects.get()
            assert (part.attempts, batch.items.count()) == (0, 0)
            let_leases_run_out(BatchPart)
            parts.sweep()
    work_on_part(parts.claim())
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.bad) == ("done", 200, 0)
