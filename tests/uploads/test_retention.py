"""What is older than RETAIN_UPLOADS_DAYS is deleted, and nothing else is."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from digits import tasks
from digits.accounts.owners import Owner
from digits.batches import submission
from digits.models import Batch, Correction, Digit, ModelVersion, Upload
from digits.models.batches import BatchStatus
from digits.models.uploads import Status
from digits.uploads import retention
from tests.bulks import kaggle_csv
from tests.factories import make_reading, make_upload
from tests.storage import stored_files

pytestmark = pytest.mark.django_db
DAYS = 30


@pytest.fixture(autouse=True)
def days(settings, monkeypatch):
    settings.RETAIN_UPLOADS_DAYS = DAYS
    monkeypatch.setattr(retention, "_look_at", 0.0)


def read_days_ago(days: float) -> Upload:
    upload = make_reading(ModelVersion.objects.get(number=1))
    then = timezone.now() - timedelta(days=days)
    Upload.objects.filter(pk=upload.pk).update(
        created_at=then, finished_at=then, status=Status.DONE
    )
    return upload


def batch_days_ago(mnist, days: float, status: str) -> Batch:
    file = SimpleUploadedFile("rows.csv", kaggle_csv(mnist, 30))
    batch = submission.submit([file], Owner(None, {}))
    then = timezone.now() - timedelta(days=days)
    Batch.objects.filter(pk=batch.pk).update(created_at=then, status=status)
    return batch


def test_an_upload_goes_with_all_that_belongs_to_it(django_capture_on_commit_callbacks):
    old, young = read_days_ago(DAYS + 1), read_days_ago(DAYS - 1)
    Correction.objects.create(digit=old.digits.first(), label=3)
    before = len(stored_files())
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.remove_old()
    assert [*Upload.objects.all()] == [young]
    assert {digit.upload_id for digit in Digit.objects.all()} == {young.pk}
    assert not Correction.objects.exists()
    assert len(stored_files()) == before / 2


def test_what_waits_is_kept_however_old():
    waiting = make_upload()
    Upload.objects.update(created_at=timezone.now() - timedelta(days=10 * DAYS))
    assert retention.remove_old()
    assert [*Upload.objects.all()] == [waiting]


def test_bulk_jobs_that_ended_go_too(mnist):
    batch_days_ago(mnist, DAYS + 1, BatchStatus.DONE)
    batch_days_ago(mnist, DAYS + 1, BatchStatus.CANCELLED)
    kept = [
        batch_days_ago(mnist, DAYS + 1, BatchStatus.QUEUED),
        batch_days_ago(mnist, DAYS - 1, BatchStatus.DONE),
    ]
    assert retention.remove_old()
    assert [*Batch.objects.order_by("pk")] == kept


def test_many_are_removed_by_and_by(monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        read_days_ago(DAYS + 1)
    assert not retention.remove_old(seconds=0)
    assert Upload.objects.count() == 5
    assert retention.remove_old()
    assert not Upload.objects.exists()


def test_without_a_number_of_days_all_is_kept(settings, redis):
    settings.RETAIN_UPLOADS_DAYS = 0
    read_days_ago(10_000)
    tasks.sweep()
    assert Upload.objects.count() == 1


def test_the_sweep_removes_and_looks_again_after_a_while(redis):
    read_days_ago(DAYS + 1)
    tasks.sweep()
    assert not Upload.objects.exists()
    read_days_ago(DAYS + 1)
    tasks.sweep()  # it was looked for a moment ago
    assert Upload.objects.count() == 1
