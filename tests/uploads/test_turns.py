"""Senders take turns: nobody's many uploads hold up another's one, and a full queue says so."""

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from digits.accounts.owners import Owner
from digits.models import Upload
from digits.models.uploads import Status
from digits.uploads import queue
from digits.uploads.submission import submit
from tests.factories import make_upload
from tests.pictures import png
from worker.images.decoding import Header

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch, redis):
    """What waits is counted at each look."""
    monkeypatch.setattr(queue, "COUNT_SECONDS", 0)
    monkeypatch.setattr(queue, "room", queue._Room())


def send(address: str, count: int = 1) -> list[Upload]:
    file = SimpleUploadedFile("one.png", b"not read here")
    return [submit(file, Owner(None, None, address)) for _ in range(count)]


def test_the_one_of_another_sender_comes_before_the_rest_of_many():
    many, (one,) = send("10.0.0.1", 9), send("10.0.0.2")
    assert [upload.pk for upload in queue.claim(2)] == [many[0].pk, one.pk]


def test_senders_take_turns():
    first, second = send("10.0.0.1", 3), send("10.0.0.2", 3)
    claimed = [queue.claim(1)[0].pk for _ in range(6)]
    assert claimed == [one.pk for pair in zip(first, second, strict=True) for one in pair]


def test_who_comes_later_does_not_wait_for_what_others_have_had_already():
    send("10.0.0.1", 9)
    queue.claim(5)
    (one,) = send("10.0.0.2")
    assert one.pk in [upload.pk for upload in queue.claim(2)]


def test_who_comes_later_does_not_come_before_all_others():
    first = send("10.0.0.1", 4)
    queue.claim(2)
    second = send("10.0.0.2", 4)
    claimed = {upload.pk for upload in queue.claim(4)}
    assert claimed == {one.pk for one in (*first[2:], *second[:2])}


def test_one_that_was_tried_before_comes_first_all_the_same():
    send("10.0.0.1", 2)
    tried = make_upload(attempts=1, turn=99)
    assert [upload.pk for upload in queue.claim(9)] == [tried.pk]


def test_an_account_is_one_sender_wherever_it_sends_from(django_user_model):
    user = django_user_model.objects.create(username="ann")
    assert Owner(user, {}, "10.0.0.1").sender == Owner(user, {}, "10.0.0.2").sender


def test_the_address_cannot_be_read_and_is_forgotten_with_the_end():
    (upload,) = send("10.0.0.1")
    assert upload.sender
    assert "10.0" not in upload.sender
    (claimed,) = queue.claim()
    queue.finish(claimed, Status.DONE)
    upload.refresh_from_db()
    assert upload.sender == ""


def test_a_full_queue_takes_no_more_and_says_when_to_try_again(client, settings, seven):
    settings.MAX_QUEUED = 2
    send("10.0.0.1", 2)
    with pytest.raises(queue.QueueFull):
        send("10.0.0.1")
    file = SimpleUploadedFile("seven.png", seven)
    answer = client.post("/mnist/classify", {"file": file})
    assert (answer.status_code, answer["Retry-After"]) == (429, "10")
    assert "Too many images are waiting" in answer.content.decode()
    page = client.post("/", {"file": SimpleUploadedFile("seven.png", seven)})
    assert page.status_code == 400
    assert "Too many images are waiting" in page.content.decode()
    assert Upload.objects.count() == 2


def test_the_api_says_that_the_queue_is_full(django_user_model, settings, seven):
    from rest_framework.test import APIClient

    from digits.accounts import tokens

    _, secret = tokens.make(django_user_model.objects.create(username="ann"), "test")
    settings.MAX_QUEUED = 1
    send("10.0.0.1")
    answer = APIClient().post(
        "/api/v1/uploads/",
        {"file": SimpleUploadedFile("seven.png", seven)},
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert (answer.status_code, answer["Retry-After"]) == (429, "10")
    assert answer["Content-Type"] == "application/problem+json"


def test_there_is_room_again_when_uploads_were_read(settings):
    settings.MAX_QUEUED = 1
    send("10.0.0.1")
    queue.claim()
    assert len(send("10.0.0.1")) == 1


def send_large(address: str, count: int = 1) -> list[Upload]:
    file = SimpleUploadedFile("large.png", b"not read here")
    file.header = Header("PNG", 4000, 3000)
    return [submit(file, Owner(None, None, address)) for _ in range(count)]


def test_small_ones_come_before_large_ones_which_come_alone():
    large, small = send_large("10.0.0.1", 3), send("10.0.0.2", 2)
    claimed = queue.claim(9)
    assert [one.pk for one in claimed] == [one.pk for one in small]
    assert claimed.has_large
    claimed = queue.claim(9)
    assert [one.pk for one in claimed] == [large[0].pk]
    assert claimed.has_large
    assert [one.attempts for one in Upload.objects.filter(status=Status.QUEUED)] == [0, 0]


def test_one_large_one_is_claimed_although_small_ones_wait():
    large, _ = send_large("10.0.0.1", 2), send("10.0.0.2", 2)
    assert [one.pk for one in queue.claim_large()] == [large[0].pk]
    queue.claim(9)
    assert queue.claim_large() != []
    assert queue.claim_large() == []


def test_senders_take_turns_with_large_ones_too():
    first, second = send_large("10.0.0.1", 3), send_large("10.0.0.2", 3)
    claimed = [queue.claim(9)[0].pk for _ in range(6)]
    assert claimed == [one.pk for pair in zip(first, second, strict=True) for one in pair]


def test_a_large_one_that_was_tried_before_lets_small_ones_go_first():
    tried = make_upload(attempts=1, is_large=True)
    small = send("10.0.0.2", 2)
    assert [one.pk for one in queue.claim(9)] == [one.pk for one in small]
    assert [one.pk for one in queue.claim(9)] == [tried.pk]


@pytest.mark.parametrize(("width", "is_large"), [(28, False), (700, False), (720, True)])
def test_an_upload_is_large_by_its_pixels(client, width, is_large):
    picture = png(np.full((700, width), 255))
    assert client.post("/", {"file": SimpleUploadedFile("a.png", picture)}).status_code == 302
    assert Upload.objects.get().is_large is is_large
