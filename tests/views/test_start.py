"""The start page: what is sent from it, and the parts of it that show readings."""

import io

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from digits.models import Digit, ModelVersion, Upload
from digits.pictures.examples import EXAMPLES, png
from tests.factories import make_reading
from tests.pictures import mnist_png

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def send(client, *files: tuple[str, bytes], **fields):
    sent = [SimpleUploadedFile(name, data) for name, data in files]
    return client.post("/", {"file": sent, **fields})


def draw(client, data: bytes, **fields) -> int:
    """Send a drawing as the page does; the number of its upload."""
    file = SimpleUploadedFile("drawing.png", data)
    fields = {"file": file, "source": "drawing", "part": "panel"} | fields
    answer = client.post("/", fields, headers=HTMX)
    assert answer.status_code == 200
    return Upload.objects.latest("id").pk


def test_a_drawing_is_stored_as_one(client, redis, seven):
    assert Upload.objects.get(pk=draw(client, seven)).source == "drawing"


def test_an_unknown_source_is_a_file(client, redis, seven):
    send(client, ("a.png", seven), source="nonsense")
    assert Upload.objects.get().source == "file"


def test_the_answer_to_htmx_is_the_part_that_waits(client, redis, seven):
    fields = {"file": SimpleUploadedFile("a.png", seven), "part": "panel"}
    answer = client.post("/", fields, headers=HTMX)
    upload = Upload.objects.get()
    text = answer.content.decode()
    assert "<html" not in text
    assert f'data-upload="{upload.pk}"' in text
    assert f'hx-get="{upload.get_absolute_url()}?wait=10&amp;part=panel"' in text
    assert answer["Cache-Control"] == "no-store"


def test_a_refused_file_is_named_with_its_reason(client):
    fields = {"file": SimpleUploadedFile("words.png", b"words"), "part": "tile"}
    answer = client.post("/", fields, headers=HTMX)
    assert answer.status_code == 400
    assert "<strong>words.png</strong>: The file is not an image" in answer.content.decode()


def test_a_longer_drawing_takes_the_place_of_the_shorter(client, redis, seven, settings):
    first = draw(client, seven)
    second = draw(client, seven, replaces=first)
    assert list(Upload.objects.values_list("pk", flat=True)) == [second]


def test_a_corrected_drawing_stays(client, redis, seven):
    first = draw(client, seven)
    Digit.objects.create(
        upload_id=first, position=0, x=1, y=1, width=5, height=5, pixels=b"\0" * 784, label=1
    )
    draw(client, seven, replaces=first)
    assert Upload.objects.count() == 2


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 40])
def test_a_drawing_replaces_nothing_by_nonsense(client, redis, seven, number):
    draw(client, seven)
    draw(client, seven, replaces=number)
    assert Upload.objects.count() == 2


def test_nobody_replaces_the_drawing_of_another(client, redis, seven):
    theirs = draw(Client(), seven)
    draw(client, seven, replaces=theirs)
    assert Upload.objects.filter(pk=theirs).exists()


def test_a_file_is_never_replaced(client, redis, seven):
    send(client, ("a.png", seven))
    draw(client, seven, replaces=Upload.objects.get().pk)
    assert Upload.objects.count() == 2


def test_several_files_are_sent_at_once(client, redis, mnist):
    files = [(f"{index}.png", mnist_png(mnist, index)) for index in range(3)]
    answer = send(client, *files)
    assert answer.url == "/uploads/"
    assert "3 images were sent." in client.get(answer.url).content.decode()
    assert set(Upload.objects.values_list("name", flat=True)) == {"0.png", "1.png", "2.png"}


def test_a_bad_file_among_several_stops_no_other(client, redis, seven):
    answer = send(client, ("a.png", seven), ("words.png", b"words"), ("b.png", seven))
    text = client.get(answer.url).content.decode()
    assert "2 images were sent." in text
    assert "words.png: The file is not an image" in text
    assert Upload.objects.count() == 2


def test_each_of_several_bad_files_has_its_reason(client):
    answer = send(client, ("words.png", b"words"), ("empty.png", b""))
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "<strong>words.png</strong>: The file is not an image" in text
    assert "<strong>empty.png</strong>: The file is empty." in text


def test_the_panel_shows_one_digit_with_all_there_is(client, redis, seven):
    upload = Upload.objects.get(pk=draw(client, seven))
    read = make_reading(ModelVersion.active(), visitor=upload.visitor)
    text = client.get(f"{read.get_absolute_url()}?part=panel", headers=HTMX).content.decode()
    assert '<p class="answer">7</p>' in text
    assert "The 28 by 28 pixels that the model saw" in text
    assert text.count("<meter") == 11
    assert 'data-said="Read as 7. Fairly sure."' in text


def test_the_panel_shows_each_of_many_digits(client, redis, seven):
    upload = Upload.objects.get(pk=draw(client, seven))
    read = make_reading(ModelVersion.active(), visitor=upload.visitor, digits=3)
    text = client.get(f"{read.get_absolute_url()}?part=panel", headers=HTMX).content.decode()
    assert text.count('class="pixels"') == 3
    assert text.count(">7</text>") == 3  # on the boxes of its picture
    assert "<meter" not in text


def test_a_tile_asks_no_more_once_it_is_read(client, redis, seven):
    upload = Upload.objects.get(pk=draw(client, seven))
    url = f"{upload.get_absolute_url()}?part=tile"
    assert "hx-get" in client.get(url, headers=HTMX).content.decode()
    Upload.objects.update(status="failed", error="It is cut off.")
    assert "hx-get" not in client.get(url, headers=HTMX).content.decode()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_picture_of_its_size(client, name):
    answer = client.get(f"/examples/{name}.png")
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (EXAMPLES[name].width, EXAMPLES[name].height)
    assert np.ptp(np.asarray(picture)) > 100


def test_an_example_is_sent_with_one_click(client, redis):
    answer = client.post("/examples/", {"example": "number"})
    upload = Upload.objects.get()
    assert answer.url == upload.get_absolute_url()
    with upload.file.open("rb") as file:
        assert file.read() == png("number")


def test_an_unknown_example_is_refused_with_the_known_ones(client):
    assert client.get("/examples/nothing.png").status_code == 404
    answer = client.post("/examples/", {"example": "nothing"})
    assert answer.status_code == 400
    assert "Expected example to be one of digit, number" in answer.content.decode()


def test_the_examples_are_read_as_what_they_show():
    from worker.reading.engine import Engine
    from worker.reading.reading import read_images

    readings = read_images(Engine(), [png(name) for name in EXAMPLES])
    assert [one.text for one in readings] == [" ".join(e.lines) for e in EXAMPLES.values()]
