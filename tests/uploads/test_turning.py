"""A picture that lies on its head or on its side is turned by hand, and read again."""

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from digits import tasks
from digits.models import ModelVersion, Upload
from digits.tasks import serving
from tests.factories import make_reading, make_user
from tests.pictures import in_lines, png
from worker.reading.cautions import TURNED_MAYBE

pytestmark = pytest.mark.django_db
ROWS = [11, 21, 2, 9]  # of MNIST's test images: 6 6 1 9, which reads the other way round, too


@pytest.fixture
def sent(client, redis, mnist, monkeypatch):
    """The upload of a page that lies on its head, read by a process that has just started."""
    monkeypatch.setattr(serving, "process", serving.Serving())
    page = np.rot90(in_lines(mnist, [ROWS], 60), 2)
    client.post("/", {"file": SimpleUploadedFile("page.png", png(page))})
    tasks.classify()
    return Upload.objects.get()


def test_it_is_read_as_a_person_says_that_it_lies(client, sent):
    answer = client.post(f"/uploads/{sent.pk}/turn", {"degrees": "180"})
    tasks.classify()
    turned = Upload.objects.exclude(pk=sent.pk).get()
    assert answer.url == turned.get_absolute_url()
    assert (turned.reading, turned.degrees, turned.cautions) == ("6619", 180, "")
    assert (turned.name, turned.source) == (sent.name, sent.source)
    shown = client.get(answer.url).content.decode()
    assert "by 180° clockwise" in shown


def test_what_a_person_says_is_not_doubted(client, sent):
    client.post(f"/uploads/{sent.pk}/turn", {"degrees": "0"})
    tasks.classify()
    as_it_lies = Upload.objects.exclude(pk=sent.pk).get()
    assert (as_it_lies.reading, as_it_lies.cautions) == ("6199", "")


def test_the_first_reading_stays(client, sent):
    before = sent.reading
    client.post(f"/uploads/{sent.pk}/turn", {"degrees": "90"})
    sent.refresh_from_db()
    assert (sent.reading, sent.degrees) == (before, None)


def test_it_is_offered_at_once_where_the_reading_may_be_turned(client, sent):
    Upload.objects.update(cautions=TURNED_MAYBE)
    assert '<details class="turn" open>' in client.get(f"/uploads/{sent.pk}/").content.decode()
    Upload.objects.update(cautions="")
    assert '<details class="turn">' in client.get(f"/uploads/{sent.pk}/").content.decode()


@pytest.mark.parametrize("degrees", ["45", "", "-90", "180x"])
def test_another_turn_is_refused(client, sent, degrees):
    answer = client.post(f"/uploads/{sent.pk}/turn", {"degrees": degrees})
    assert answer.status_code == 400
    assert Upload.objects.count() == 1


def test_a_file_that_is_gone_is_not_found(client, sent):
    sent.file.storage.delete(sent.file.name)
    assert client.post(f"/uploads/{sent.pk}/turn", {"degrees": "90"}).status_code == 404


def test_staff_does_not_turn_the_pictures_of_others(client):
    upload = make_reading(ModelVersion.objects.get(number=1))
    client.force_login(make_user("staff", "reviewer"))
    assert client.get(f"/uploads/{upload.pk}/").status_code == 200
    assert client.post(f"/uploads/{upload.pk}/turn", {"degrees": "90"}).status_code == 403
