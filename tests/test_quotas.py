"""Quotas: what one sender may have, and what is said beyond."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from digits import quotas
from digits.accounts import tokens
from digits.accounts.owners import Owner
from digits.batches import parts
from digits.batches import submission as bulk
from digits.models import Batch, Upload, Usage
from digits.models.batches import BatchStatus
from digits.uploads import queue
from digits.uploads.submission import submit
from tests.bulks import kaggle_csv
from worker.files.datasets import load_mnist

pytestmark = pytest.mark.django_db
ONE, OTHER = Owner(None, None, "198.51.100.7"), Owner(None, None, "198.51.100.8")


@pytest.fixture(autouse=True)
def fresh(redis):
    queue.room._known_until = 0.0
    yield
    queue.room._known_until = 0.0


@pytest.fixture
def bound(settings):
    def set_bounds(**bounds):
        settings.QUOTA = {**settings.QUOTA, **bounds}
        settings.QUOTA_ANONYMOUS = {**settings.QUOTA_ANONYMOUS, **bounds}

    return set_bounds


def file_of(size: int = 100) -> SimpleUploadedFile:
    return SimpleUploadedFile("a.png", b"x" * size)


def csv_of(rows: int) -> bytes:
    return kaggle_csv(load_mnist("test"), rows)


def usage_of(owner: Owner) -> Usage:
    return Usage.objects.get(sender=owner.sender)


def test_uploads_count_until_they_are_deleted():
    uploads = [submit(file_of(size), ONE) for size in (100, 9000)]
    usage = usage_of(ONE)
    assert (usage.sent, usage.stored, usage.size) == (2, 2, 9100)
    Upload.objects.filter(pk=uploads[1].pk).delete_with_files()
    usage.refresh_from_db()
    assert (usage.sent, usage.stored, usage.size) == (2, 1, 100)
    assert not Usage.objects.filter(sender=OTHER.sender).exists()


def test_a_days_images_are_bounded_and_a_new_day_begins_anew(bound, time_machine):
    bound(day=2)
    for _ in range(2):
        submit(file_of(), ONE)
    with pytest.raises(quotas.NotTaken, match=r"limit of images a day is reached \(2\)") as refused:
        submit(file_of(), ONE)
    assert refused.value.status == 429
    assert 0 < refused.value.seconds <= 86400
    submit(file_of(), OTHER)
    time_machine.move_to(datetime.now(UTC) + timedelta(days=1, hours=1))
    quotas._spent.clear()
    submit(file_of(), ONE)
    assert (usage_of(ONE).sent, usage_of(ONE).stored) == (1, 3)


@pytest.mark.parametrize(("name", "size"), [("files", 10), ("megabytes", 600_000)])
def test_what_is_stored_is_bounded_until_some_is_deleted(bound, name, size):
    bound(**{name: 1})
    first = submit(file_of(size), ONE)
    with pytest.raises(quotas.NotTaken, match="Delete some") as refused:
        submit(file_of(size), ONE)
    assert (refused.value.status, refused.value.seconds) == (507, 0)
    assert Upload.objects.count() == 1
    Upload.objects.filter(pk=first.pk).delete_with_files()
    quotas._spent.clear()
    submit(file_of(size), ONE)


def test_a_refused_file_is_not_left_on_the_disk(bound, settings):
    bound(files=1)
    submit(file_of(), ONE)
    with pytest.raises(quotas.NotTaken):
        submit(file_of(20_000), ONE)
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


def test_whoever_is_refused_costs_no_look_at_the_database(bound, django_assert_num_queries):
    bound(files=1)
    submit(file_of(), ONE)
    with pytest.raises(quotas.NotTaken):
        submit(file_of(), ONE)
    with django_assert_num_queries(0), pytest.raises(quotas.NotTaken):
        submit(file_of(), ONE)


def test_so_many_of_a_sender_may_wait_and_others_go_on(bound):
    bound(waiting=2)
    for _ in range(3):
        submit(file_of(), ONE)
    queue.room.count()
    with pytest.raises(quotas.NotTaken, match=r"images are waiting to be read \(3\)"):
        submit(file_of(), ONE)
    submit(file_of(), OTHER)


def test_an_account_has_a_quota_of_its_own(settings, django_user_model):
    settings.QUOTA_ANONYMOUS = {**settings.QUOTA_ANONYMOUS, "files": 1}
    ann = Owner(django_user_model.objects.create(username="ann"), None, ONE.address)
    for _ in range(2):
        submit(file_of(), ann)
    submit(file_of(), ONE)
    with pytest.raises(quotas.NotTaken):
        submit(file_of(), ONE)


def test_a_bulk_job_counts_its_rows_and_its_bytes():
    file = SimpleUploadedFile("rows.csv", csv_of(3))
    batch = bulk.submit([file], ONE)
    usage = usage_of(ONE)
    assert (usage.sent, usage.stored, usage.size) == (3, 0, len(csv_of(3)))
    batch.delete()
    usage.refresh_from_db()
    assert usage.size == 0


def test_so_many_bulk_jobs_of_a_sender_may_be_under_way(bound):
    bound(batches=1)
    first = bulk.submit([SimpleUploadedFile("rows.csv", csv_of(2))], ONE)
    with pytest.raises(quotas.NotTaken, match=r"limit of bulk jobs under way is reached \(1\)"):
        bulk.submit([SimpleUploadedFile("rows.csv", csv_of(2))], ONE)
    bulk.submit([SimpleUploadedFile("rows.csv", csv_of(2))], OTHER)
    parts.cancel(first)
    bulk.submit([SimpleUploadedFile("rows.csv", csv_of(2))], ONE)
    assert Batch.objects.filter(status=BatchStatus.QUEUED).count() == 2


def test_every_way_in_says_why_and_when_to_try_again(bound, client, django_user_model, seven):
    bound(day=1)
    ann = django_user_model.objects.create(username="ann")
    _, secret = tokens.make(ann, "test")
    bearer = {"Authorization": f"Bearer {secret}"}

    def send(path, **headers):
        return client.post(path, {"file": SimpleUploadedFile("7.png", seven)}, headers=headers)

    here = Owner(None, None, "127.0.0.1")
    submit(file_of(), here)
    submit(file_of(), Owner(ann, None))
    page = send("/")
    assert page.status_code == 400
    assert "The limit of images a day is reached (1)" in page.content.decode()
    for answer in (send("/mnist/classify"), send("/api/v1/uploads/", **bearer)):
        assert answer.status_code == 429
        assert 0 < int(answer["Retry-After"]) <= 86400
        assert "The limit of images a day is reached (1)" in answer.content.decode()
    sent = {"file": SimpleUploadedFile("rows.csv", csv_of(2))}
    assert (
        "The limit of images a day is reached (1)"
        in client.post("/batches/", sent).content.decode()
    )


def test_two_threads_do_not_count_past_each_other(bound, transactional_db):
    bound(files=5)
    taken, refused = [], []

    def send():
        from django.db import connection

        try:
            taken.append(submit(file_of(), ONE))
        except quotas.NotTaken as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(taken), len(refused)) == (5, 7)
    assert Upload.objects.count() == usage_of(ONE).stored == 5


def test_senders_with_nothing_left_are_forgotten(time_machine):
    upload, _ = submit(file_of(), ONE), submit(file_of(), OTHER)
    Upload.objects.filter(pk=upload.pk).delete_with_files()
    quotas.sweep()
    assert Usage.objects.count() == 2
    time_machine.move_to(datetime.now(UTC) + timedelta(days=1))
    quotas.sweep()
    assert Usage.objects.get().sender == OTHER.sender
