"""Uploads are read again with a chosen version; earlier predictions stay."""

import json
import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from digits import tasks
from digits.models import Digit, ModelVersion, Prediction, Rereading, Upload
from digits.queue import wake_ups
from digits.queue.nodes import NodeClass
from digits.tasks import serving
from digits.uploads import queue, rereading
from digits.versions import registry
from tests.factories import make_reading, make_upload, make_user
from tests.pictures import in_lines, png
from worker.reading.bundle import BUNDLED_MODEL
from worker.reading.reading import read_again, read_images

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def forget():
    yield
    serving.process.forget_other()


@pytest.fixture
def second():
    """Another version that says the same, since it is the same network."""
    return registry.register(BUNDLED_MODEL, {"architecture": "cnn"})


@pytest.fixture
def staff(client):
    user = make_user("staff", "reviewer")
    client.force_login(user)
    return user


def stored(mnist, *indices: int) -> Upload:
    """An upload with these digits of MNIST, each of which version 1 read as a 7."""
    upload = make_reading(ModelVersion.objects.get(number=1), digits=len(indices))
    for digit, index in zip(upload.digits.all(), indices, strict=True):
        Digit.objects.filter(pk=digit.pk).update(
            pixels=mnist.images[index].tobytes(), x=20 * digit.position
        )
    return upload


def ask(upload, version) -> int:
    return rereading.ask(Upload.objects.filter(pk=upload.pk), version)


def values(upload, version) -> list[int]:
    rows = Prediction.objects.filter(digit__upload=upload, version=version)
    return list(rows.order_by("digit__position").values_list("value", flat=True))


def test_a_version_adds_what_it_says_and_changes_nothing_else(redis, mnist, second):
    upload = stored(mnist, 0, 1, 2)
    before = list(Prediction.objects.values())
    ask(upload, second)
    tasks.read_again()
    assert values(upload, second) == list(mnist.labels[:3])
    assert list(Prediction.objects.exclude(version=second).order_by("-id").values()) == before
    row = Rereading.objects.get()
    assert (row.error, row.lease, row.attempts, row.state) == ("", None, 1, "done")
    assert Upload.objects.get(pk=upload.pk).reading == "777"


def test_asking_and_reading_twice_is_harmless(redis, mnist, second):
    upload = stored(mnist, 0)
    assert ask(upload, second) == ask(upload, second) == 1
    assert Rereading.objects.count() == 1
    for _ in range(2):
        tasks.read_again()
        ask(upload, second)
    assert values(upload, second) == [7]


def test_only_finished_uploads_are_read_again(second):
    make_upload()
    make_upload(status="failed")
    assert rereading.ask(Upload.objects.all(), second) == 0


def test_a_claim_is_of_one_version_and_shared_with_nobody(mnist, second):
    first = ModelVersion.objects.get(number=1)
    uploads = [stored(mnist, 0) for _ in range(3)]
    for upload, version in zip(uploads, (second, first, second), strict=True):
        ask(upload, version)
    assert [row.upload for row in rereading.claim()] == [uploads[0], uploads[2]]
    assert [row.upload for row in rereading.claim()] == [uploads[1]]
    assert rereading.claim() == []


def test_who_lost_the_lease_ends_nothing(mnist, second):
    ask(stored(mnist, 0), second)
    claimed = rereading.claim()
    Rereading.objects.update(lease=uuid.uuid4())
    assert rereading.finish(claimed) == 0
    assert Rereading.objects.unfinished().count() == 1


def expire():
    Rereading.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_what_a_killed_worker_held_is_claimed_again_and_fails_the_third_time(redis, mnist, second):
    ask(stored(mnist, 0), second)
    for _ in range(3):
        assert rereading.sweep() == 0
        assert len(rereading.claim()) == 1
        expire()
    assert rereading.claim() == []
    assert rereading.sweep() == 1
    assert "It failed 3 times" in Rereading.objects.get().state


@pytest.mark.parametrize("damage", ["changed", "missing", "garbage"])
def test_a_broken_version_is_refused_with_the_reason(redis, mnist, second, settings, damage):
    path = settings.MEDIA_ROOT / second.file.name
    if damage == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(b"garbage" if damage == "garbage" else data[:-1] + b"?")
    upload = stored(mnist, 0)
    ask(upload, second)
    tasks.read_again()
    assert ("missing" if damage == "missing" else "was changed") in Rereading.objects.get().error
    assert values(upload, second) == []


def messages(redis, task: str) -> int:
    """How many messages of a task wait for nodes that read on processors."""
    found = [message for name in NodeClass.CPU.queues for message in redis.lrange(name, 0, -1)]
    return sum(json.loads(message)["headers"]["task"] == task for message in found)


@pytest.mark.django_db(transaction=True)
def test_one_wake_up_on_the_classify_queue_follows_the_commit(redis, mnist):
    version = registry.register_bundled()
    upload = make_reading(version)
    with transaction.atomic():
        ask(upload, version)
        assert messages(redis, rereading.TASK) == 0
    ask(upload, version)
    wake_ups.send(queue.TASK)
    assert messages(redis, rereading.TASK) == messages(redis, queue.TASK) == 1


def test_the_sweeper_wakes_the_workers_for_what_waits(redis, mnist, second):
    rereading.sweep()
    assert messages(redis, rereading.TASK) == 0
    ask(stored(mnist, 0), second)
    tasks.sweep()
    assert messages(redis, rereading.TASK) == 1
    assert messages(redis, queue.TASK) == 0


def test_a_batch_is_read_a_message_and_another_message_follows(redis, mnist, second, settings):
    settings.CLASSIFY_BATCH = 2
    for _ in range(3):
        ask(stored(mnist, 0), second)
    tasks.read_again()
    assert Rereading.objects.unfinished().count() == 1
    assert messages(redis, rereading.TASK) == 1
    tasks.read_again()
    assert Rereading.objects.unfinished().count() == 0
    assert messages(redis, rereading.TASK) == 1


def test_reading_again_gives_the_same_as_reading(mnist, engine):
    """Also for digits beside others, and for shapes among them that are not digits."""
    page = in_lines(mnist, [[0, 1, 2, 3], [4, 7]])
    page[30:34, 300:355] = 0  # a dash through the 0 at the end of the first line
    (reading,) = read_images(engine, [png(page)])
    lines = [[d.glyph for d in reading.digits if d.glyph.line == n] for n in (0, 1)]
    again = read_again(engine, [lines], [(page.shape[1], page.shape[0])])
    assert len(again) == len(reading.digits) >= 6
    for digit, (value, confidence, probabilities) in zip(reading.digits, again, strict=True):
        assert value == digit.value
        assert confidence == pytest.approx(digit.confidence, abs=1e-5)
        assert np.allclose(probabilities, digit.probabilities, atol=1e-5)
    assert read_again(engine, [], []) == []


def again(client, upload, number, **options):
    return client.post(f"/uploads/{upload.pk}/again", {"version": number}, **options)


def test_staff_asks_on_the_result_page_which_waits_for_the_answer(redis, client, staff, mnist):
    upload = stored(mnist, 0)
    second = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    page = client.get(upload.get_absolute_url()).content.decode()
    assert '<option value="2">' in page
    assert '<option value="1">' not in page  # it has read it
    answer = again(client, upload, 2, headers=HTMX, follow=True).content.decode()
    assert "version 2 is reading it again" in answer
    assert f'hx-get="{upload.get_absolute_url()}" hx-trigger="every 1s"' in answer
    assert '<option value="2">' not in answer
    assert Rereading.objects.get().requested_by == staff
    tasks.read_again()
    part = client.get(upload.get_absolute_url(), headers=HTMX).content.decode()
    assert "hx-get" not in part
    assert "Every version has read this upload." in part
    assert values(upload, second) == [7]


def test_the_result_page_shows_what_each_version_read_and_where_they_differ(client, staff, mnist):
    upload = stored(mnist, 0, 1)
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    for digit, value in zip(upload.digits.all(), (7, 1), strict=True):
        digit.predictions.create(
            version=second, value=value, confidence=0.8, probabilities=[0.05] * 10
        )
    page = client.get(upload.get_absolute_url()).content.decode()
    assert page.count("they differ") == 1
    assert page.count("version 2: <strong>") == 2
    assert page.count("model version 1") == 2  # the bars are those that made the reading
    assert '<p class="answer">77</p>' in page


def test_a_refusal_is_shown_until_it_was_read(client, staff, mnist, redis, second, settings):
    upload = stored(mnist, 0)
    (settings.MEDIA_ROOT / second.file.name).unlink()
    ask(upload, second)
    tasks.read_again()
    page = client.get(upload.get_absolute_url()).content.decode()
    assert "version 2 could not read it again" in page
    assert '<option value="2">' in page


@pytest.mark.parametrize("number", ["", "99", "one", "²"])
def test_a_version_that_is_not_there_is_refused(client, staff, mnist, number):
    answer = again(client, stored(mnist, 0), number)
    assert answer.status_code == 400
    assert "Expected version to be one of 1, received" in answer.content.decode()


def test_only_staff_has_uploads_read_again(client, mnist):
    ann = get_user_model().objects.create_user("ann")
    upload = stored(mnist, 0)
    Upload.objects.update(user=ann)
    assert again(client, upload, 1).status_code == 403
    client.force_login(ann)
    assert again(client, upload, 1).status_code == 403
    assert "Read again" not in client.get(upload.get_absolute_url()).content.decode()
    assert Rereading.objects.count() == 0


def test_the_admin_has_uploads_read_again_by_action(client, staff, mnist, second):
    uploads = [stored(mnist, 0), stored(mnist, 1), make_upload()]
    fields = {
        "action": "read_again",
        "version": second.pk,
        "_selected_action": [upload.pk for upload in uploads],
    }
    page = client.post("/admin/digits/upload/", fields, follow=True).content.decode()
    assert "2 finished uploads will be read again by version 2." in page
    assert Rereading.objects.filter(version=second, requested_by=staff).count() == 2
    row = Rereading.objects.first()
    assert client.get(f"/admin/digits/rereading/{row.pk}/change/").status_code == 200
    assert "waiting" in client.get("/admin/digits/rereading/").content.decode()
    fields["version"] = ""
    page = client.post("/admin/digits/upload/", fields, follow=True).content.decode()
    assert "Choose a version to read with." in page
