"""Bulk jobs: submitted, claimed part by part, read, saved once, cancelled, swept.

tests/system/test_postgres.py runs this file on PostgreSQL, too.
"""

import gzip
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from digits import tasks
from digits.accounts import accounts
from digits.accounts.owners import Owner
from digits.batches import parts, submission
from digits.models import Batch, BatchItem, BatchPart, ModelVersion, Upload
from digits.tasks import serving
from digits.tasks.batches import work_on_part
from digits.uploads import queue
from tests.bulks import csv_of, idx, kaggle_csv, npz_of, zip_of
from tests.factories import make_upload
from tests.pictures import in_lines, mnist_png, png
from worker.files.plans import BulkError
from worker.reading.bundle import BUNDLED_MODEL, ModelError

pytestmark = pytest.mark.django_db


def submit(*files: tuple[str, bytes], labels: bytes | None = None) -> Batch:
    sent = [SimpleUploadedFile(name, data) for name, data in files]
    label_file = labels and SimpleUploadedFile("labels", labels)
    return submission.submit(sent, Owner(None, {}), labels=label_file)


@pytest.fixture(autouse=True)
def model(media, settings):
    """The active version's file lies in this test's own storage."""
    path = settings.MEDIA_ROOT / ModelVersion.active().file.name
    path.parent.mkdir(parents=True)
    path.symlink_to(BUNDLED_MODEL)
    yield
    serving.process.forget_other()


@pytest.fixture
def batch(redis, mnist):
    """A labelled CSV of 600 rows, in three parts."""
    return submit(("train.csv", kaggle_csv(mnist, 600, labels=True)))


def read_all(batch: Batch) -> Batch:
    while part := parts.claim():
        work_on_part(part)
    batch.refresh_from_db()
    return batch


def expire(*parts: BatchPart):
    past = timezone.now() - timedelta(seconds=1)
    BatchPart.objects.filter(pk__in=[part.pk for part in parts]).update(lease_expires_at=past)


def test_a_batch_is_stored_with_its_parts_and_the_workers_are_told(
    redis, mnist, django_capture_on_commit_callbacks
):
    data = kaggle_csv(mnist, 600)
    with django_capture_on_commit_callbacks(execute=True):
        batch = submit(("test.csv", data))
    assert (batch.kind, batch.labelled, batch.total, batch.status) == ("csv", False, 600, "queued")
    with batch.file.open("rb") as file:
        assert file.read() == data
    assert list(batch.parts.values_list("first", "rows")) == [(1, 256), (257, 256), (513, 88)]
    assert b"digits.read_batches" in redis.lrange("classify.cpu", 0, -1)[0].encode()


def test_it_reads_each_row_once_and_in_order(batch, mnist):
    assert read_all(batch).status == "done"
    assert (batch.done, batch.bad, batch.total) == (600, 0, 600)
    numbers = list(batch.items.values_list("number", flat=True))
    assert numbers == list(range(1, 601))
    assert batch.version == ModelVersion.active()
    assert not BatchPart.objects.exists()


def test_with_labels_it_counts_what_is_right_and_what_is_read_as_what(batch, mnist):
    read_all(batch)
    truth = [str(label) for label in mnist.labels[:600]]
    assert list(batch.items.values_list("truth", flat=True)) == truth
    assert batch.accuracy > 0.99
    assert sum(map(sum, batch.confusion)) == 600
    assert sum(batch.confusion[7]) == truth.count("7")
    assert batch.confusion[7][7] >= truth.count("7") - 2


def test_the_parts_are_read_by_the_layout_that_was_planned(redis, mnist):
    turned = 1 - mnist.images[:600].transpose(0, 2, 1) / 255
    some = ["" if n % 3 == 0 else label for n, label in enumerate(mnist.labels[:600])]
    table = csv_of(turned, some, label="last", index=True, delimiter=";")
    batch = read_all(submit(("train.csv", table.decode().encode("utf-16"))))
    assert (batch.status, batch.done, batch.bad, batch.unlabelled) == ("done", 600, 0, 200)
    assert batch.accuracy > 0.99
    assert batch.right + batch.wrong == 400
    assert list(batch.items.values_list("truth", flat=True)) == list(map(str, some))


def test_a_batch_from_before_layouts_is_read_as_then(redis, mnist):
    batch = submit(("train.csv", kaggle_csv(mnist, 300, labels=True)))
    Batch.objects.update(layout={})
    read_all(batch)
    assert (batch.bad, batch.unlabelled) == (0, 0)
    assert batch.accuracy > 0.99


def test_numpys_arrays_and_their_labels_are_stored_as_idx(redis, mnist):
    data = npz_of(x=mnist.images[:300] / 255, y=mnist.labels[:300])
    batch = read_all(submit(("mnist.npz", data)))
    assert (batch.kind, batch.total, batch.bad) == ("idx", 300, 0)
    assert batch.accuracy > 0.99


def test_folders_of_a_zip_are_its_labels_also_where_an_image_holds_two_digits(redis, mnist):
    files = {f"{mnist.labels[n]}/{n}.png": mnist_png(mnist, n) for n in range(5)}
    files["4/two.png"] = png(in_lines(mnist, [[0, 1]], size=60))
    batch = read_all(submit(("scans.zip", zip_of(files))))
    assert (batch.status, batch.labelled, batch.right, batch.wrong) == ("done", True, 5, 1)
    assert batch.confusion[4][10] == 1


def test_a_part_that_is_read_twice_gives_its_rows_once(batch):
    first = parts.claim()
    expire(first)
    parts.sweep()
    second = parts.claim()
    assert (second.pk, second.attempts) == (first.pk, 2)
    work_on_part(first)  # it was slow, and its lease is lost
    assert batch.items.count() == 0
    work_on_part(second)
    work_on_part(second)  # a message may come twice
    batch.refresh_from_db()
    assert (batch.items.count(), batch.done) == (256, 256)


@pytest.mark.django_db(transaction=True)
def test_claims_at_the_same_time_never_share_a_part(redis, mnist):
    submit(("test.csv", kaggle_csv(mnist, 256 * 9)))

    def claim_all(_) -> list[int]:
        mine = []
        try:
            while part := parts.claim():
                mine.append(part.first)
        finally:
            connection.close()
        return mine

    with ThreadPoolExecutor(3) as pool:
        claimed = [first for mine in pool.map(claim_all, range(3)) for first in mine]
    assert sorted(claimed) == list(range(1, 256 * 9, 256))


def test_batches_take_turns(redis, mnist):
    large = submit(("test.csv", kaggle_csv(mnist, 600)))
    parts.claim()
    small = submit(("a.png", mnist_png(mnist, 0)), ("b.png", mnist_png(mnist, 1)))
    assert [parts.claim().batch_id for _ in range(2)] == [small.pk, large.pk]


def test_what_killed_the_worker_three_times_is_reported_and_the_rest_goes_on(batch):
    for _ in range(3):
        expire(part := parts.claim())
        assert part.first == 1
        parts.sweep()
    read_all(batch)
    assert (batch.status, batch.done, batch.bad) == ("done", 600, 256)
    bad = batch.items.get(number=256)
    assert bad.error == "The worker stopped 3 times while reading it."
    assert batch.items.get(number=257).reading


def test_a_batch_whose_last_part_was_lost_is_ended_by_the_sweeper(batch):
    BatchPart.objects.all().delete()
    parts.sweep()
    batch.refresh_from_db()
    assert batch.status == "done"


def test_the_sweeper_wakes_the_workers_for_what_waits(batch, redis):
    redis.flushall()
    parts.sweep()
    assert redis.llen("classify.cpu") == 1


def test_a_cancelled_batch_keeps_what_was_read_and_reads_no_more(batch):
    work_on_part(parts.claim())
    running = parts.claim()
    assert parts.cancel(batch)
    work_on_part(running)
    assert parts.claim() is None
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.items.count()) == ("cancelled", 256, 256)
    assert not parts.cancel(batch)


def test_a_batch_that_is_deleted_while_it_is_read_leaves_nothing(batch):
    part = parts.claim()
    batch.delete()
    work_on_part(part)
    assert not BatchItem.objects.exists()
    assert not Batch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_batch(redis, mnist, settings):
    submit(("i", idx(mnist.images[:3])), ("l", idx(mnist.labels[:3])))
    batch = Batch.objects.get()
    names = [batch.file.name, batch.labels.name]
    assert all(map(default_storage.exists, names))
    Batch.objects.all().delete()
    assert not any(map(default_storage.exists, names))


def test_the_whole_batch_is_read_by_the_version_that_began(batch):
    work_on_part(parts.claim())
    first = ModelVersion.active()
    ModelVersion.objects.update(is_active=False)
    read_all(batch)
    assert (batch.status, batch.version) == ("done", first)


def test_a_batch_goes_on_with_another_version_when_its_own_is_lost(batch, caplog):
    work_on_part(parts.claim())
    broken = ModelVersion.objects.create(number=9, architecture="cnn", sha256="0" * 64)
    broken.file.name = "models/missing.keras"
    broken.save()
    Batch.objects.update(version=broken)
    read_all(batch)
    assert (batch.status, batch.bad, batch.version) == ("done", 0, ModelVersion.active())
    assert "the model file missing.keras is missing" in caplog.text


def test_a_batch_waits_while_no_version_can_be_loaded(batch, monkeypatch):
    monkeypatch.setattr(serving, "process", serving.Serving())
    ModelVersion.objects.update(sha256="0" * 64)
    waiting = parts.waiting().count()
    with pytest.raises(ModelError):
        work_on_part(parts.claim())
    assert BatchPart.objects.count() == waiting
    assert not BatchPart.objects.exclude(attempts=0).exists()


def test_a_file_that_is_gone_fails_the_batch(batch):
    batch.file.storage.delete(batch.file.name)
    read_all(batch)
    assert (batch.status, batch.error) == ("failed", "The batch's file is gone from the storage.")
    assert "FileNotFoundError" in batch.error_detail


def test_a_failing_storage_costs_no_attempt(batch, settings):
    path = settings.MEDIA_ROOT / batch.file.name
    data = path.read_bytes()
    path.unlink()
    path.mkdir()  # stands for a disk that gives no data now
    part = parts.claim()
    work_on_part(part)
    part.refresh_from_db()
    assert part.attempts == 0
    path.rmdir()
    path.write_bytes(data)
    expire(part)
    parts.sweep()
    assert read_all(batch).status == "done"


def test_uploads_are_read_between_two_parts(batch, seven):
    upload = make_upload(seven)
    tasks.read_batches()
    upload.refresh_from_db()
    assert upload.reading == "7"
    while parts.waiting().exists():  # a slow machine needs several slices of time
        tasks.read_batches()
    batch.refresh_from_db()
    assert batch.status == "done"


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_come_in_any_order_gzipped_or_not(redis, mnist, packed):
    images, labels = idx(mnist.images[:5]), idx(mnist.labels[:5])
    if packed:
        images, labels = gzip.compress(images), gzip.compress(labels)
    batch = read_all(submit(("labels.gz", labels), ("images.gz", images)))
    assert (batch.kind, batch.labelled, batch.accuracy) == ("idx", True, 1.0)
    other = submit(("images.gz", images), labels=labels)
    assert other.labelled


def test_several_images_are_stored_as_one_zip(redis, mnist):
    files = [("a.png", mnist_png(mnist, 0)), ("a.png", mnist_png(mnist, 1)), ("c.txt", b"words")]
    batch = read_all(submit(*files))
    assert (batch.kind, batch.name, batch.bad) == ("zip", "3 images", 1)
    found = list(batch.items.values_list("name", "reading"))
    assert found == [("a.png", "7"), ("2-a.png", "2"), ("c.txt", "")]


def test_one_image_is_a_batch_of_one(redis, mnist):
    batch = read_all(submit(("a.png", mnist_png(mnist, 0))))
    assert (batch.total, batch.items.get().reading) == (1, "7")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "Choose a file first"),
        ([("empty.csv", b"")], "“empty.csv” is empty"),
        ([("words.txt", b"words")], "cannot be read as CSV"),
        ([("a.csv", b"1"), ("b.csv", b"1")], "one ZIP, CSV or IDX file at a time"),
        ([("a.zip", zip_of({"a": b"x"})), ("b.png", b"1")], "one ZIP, CSV or IDX file at a time"),
        ([("a.zip", zip_of({"../a.png": b"x"}))], "leads out of the archive"),
        ([("l", idx(np.zeros(3)))], "came without its IDX file"),
    ],
)
def test_what_is_refused_leaves_no_row_and_no_file(settings, files, message):
    with pytest.raises(BulkError, match=message):
        submit(*files)
    assert not Batch.objects.exists()
    assert not (settings.MEDIA_ROOT / "batches").exists()


def test_the_limits_are_settings(settings, mnist):
    settings.MAX_BATCH_ROWS, settings.MAX_BATCH_FILES = 2, 1
    with pytest.raises(BulkError, match="too many rows: 2 are the limit"):
        submit(("test.csv", kaggle_csv(mnist, 3)))
    with pytest.raises(BulkError, match="too many files"):
        submit(("a.zip", zip_of({"a": b"x", "b": b"x"})))
    settings.MAX_BATCH_BYTES = 10
    with pytest.raises(BulkError, match="That is too large"):
        submit(("a.zip", zip_of({"a": b"x"})))


def test_a_lost_lease_finishes_nothing(batch):
    part = parts.claim()
    part.lease = uuid.uuid4()
    work_on_part(part)
    assert not batch.items.exists()
    assert Upload.objects.count() == 0
    assert queue.claim() == []


def test_an_accounts_batches_go_with_it(redis, mnist, settings, django_capture_on_commit_callbacks):
    user = get_user_model().objects.create_user("ann", password="a-long-password")
    file = SimpleUploadedFile("test.csv", kaggle_csv(mnist, 2))
    name = submission.submit([file], Owner(user, {})).file.name
    assert default_storage.exists(name)
    with django_capture_on_commit_callbacks(execute=True):
        accounts.delete(user)
    assert not Batch.objects.exists()
    assert not default_storage.exists(name)
