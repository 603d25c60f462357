"""Previews: a small picture has none of its own, and is shown from its file."""

import io

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from digits.models import ModelVersion, SmallFile, Upload
from digits.models.uploads import PREVIEW_SIDE, Status
from digits.tasks import serving
from digits.tasks.uploads import work_on_uploads
from digits.uploads import queue
from digits.versions import registry
from tests.factories import make_upload
from tests.pictures import encoded, on_paper, png
from worker.images.formats import PILLOW_NAMES
from worker.reading.bundle import BUNDLED_MODEL

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return get_user_model().objects.create_user("ada")


@pytest.fixture
def own(client, account) -> Client:
    client.force_login(account)
    return client


@pytest.fixture
def reader(redis, monkeypatch):
    """A process that reads what is queued; the model's file lies where the test's files do."""
    monkeypatch.setattr(serving, "process", serving.Serving())
    version = registry.register(BUNDLED_MODEL, {"architecture": "cnn"})
    ModelVersion.objects.update(is_active=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_active=True)
    return lambda: work_on_uploads(queue.claim())


def picture(mnist, mode: str = "L", size: int = 200) -> Image.Image:
    return Image.fromarray(on_paper(mnist.images[0], size)).convert(mode)


def make_read(data: bytes, user, **fields) -> Upload:
    """An upload that was read and got no preview."""
    fields = {"width": 200, "height": 200, "status": Status.DONE} | fields
    return make_upload(data, user=user, **fields)


def preview(client, upload):
    return client.get(reverse("preview", args=[upload.pk]))


def shown(answer) -> Image.Image:
    """The picture of an answer, which must be a WebP."""
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    with Image.open(io.BytesIO(b"".join(answer))) as image:
        assert image.format == "WEBP"
        image.load()
        return image


@pytest.mark.parametrize("kind", PILLOW_NAMES)
def test_a_small_picture_of_any_format_is_shown_from_its_file(own, account, mnist, kind):
    whole = picture(mnist, "RGB")
    image = shown(preview(own, make_read(encoded(whole, kind), account)))
    assert image.size == whole.size
    assert np.abs(np.asarray(image, int) - np.asarray(whole, int)).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_a_small_picture_of_any_mode_is_shown_from_its_file(own, account, mnist, mode):
    data = encoded(picture(mnist).convert("I").convert("I;16"), "PNG") if mode == "I;16" else None
    upload = make_read(data or encoded(picture(mnist, mode), "PNG"), account)
    assert shown(preview(own, upload)).size == (200, 200)


def test_a_photo_that_lies_on_its_side_is_shown_upright(own, account, mnist):
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = picture(mnist).crop((0, 0, 200, 100))
    image = shown(preview(own, make_read(encoded(flat, "JPEG", exif=exif), account)))
    assert image.size == (100, 200)


def test_what_was_read_from_a_small_file_is_shown_as_it_was_sent(own, account, reader, mnist):
    upload = make_upload(png(on_paper(mnist.images[0], 200)), user=account)
    reader()
    upload.refresh_from_db()
    assert (upload.reading, upload.preview.name) == ("7", "")
    assert shown(preview(own, upload)).size == (upload.width, upload.height) == (200, 200)


def test_a_large_picture_is_shown_by_its_preview(own, account, reader, mnist):
    upload = make_upload(png(on_paper(mnist.images[0], 800)), user=account)
    reader()
    upload.refresh_from_db()
    assert upload.preview.name
    upload.file.delete(save=False)
    assert shown(preview(own, upload)).size == (PREVIEW_SIDE, PREVIEW_SIDE)


@pytest.mark.parametrize("size", [200, PREVIEW_SIDE])
def test_a_picture_whose_file_is_gone_is_not_found(own, account, mnist, size):
    upload = make_read(encoded(picture(mnist, size=size), "BMP"), account)
    upload.file.storage.delete(upload.file.name)
    assert preview(own, upload).status_code == 404


def test_a_picture_whose_preview_is_gone_is_not_found(own, account, mnist):
    upload = make_read(encoded(picture(mnist), "PNG"), account, preview="previews/gone.webp")
    assert preview(own, upload).status_code == 404


def test_a_picture_that_is_not_read_yet_or_never_was_is_not_found(own, account, seven):
    assert preview(own, make_upload(seven, user=account)).status_code == 404
    failed = make_upload(b"words", user=account, status=Status.FAILED)
    assert preview(own, failed).status_code == 404


def test_a_file_that_was_damaged_since_is_not_found(own, account, mnist):
    upload = make_read(encoded(picture(mnist), "PNG"), account)
    changed = SmallFile.objects.update(content=b"damaged")
    assert changed == 1
    assert preview(own, upload).status_code == 404


def test_a_file_that_is_larger_than_its_row_says_is_not_decoded(own, account):
    data = encoded(Image.new("1", (PREVIEW_SIDE + 1, PREVIEW_SIDE)), "PNG")
    assert preview(own, make_read(data, account)).status_code == 404


def test_nobody_else_may_see_a_preview_but_staff(own, account, mnist, django_user_model):
    upload = make_read(encoded(picture(mnist), "PNG"), account)
    assert preview(Client(), upload).status_code == 404
    other, staff = Client(), Client()
    other.force_login(django_user_model.objects.create_user("bob"))
    staff.force_login(django_user_model.objects.create_superuser("root"))
    assert preview(other, upload).status_code == 404
    assert shown(preview(staff, upload)).size == (200, 200)


def test_a_visitor_sees_the_preview_of_an_upload_of_their_own(reader, client, seven):
    client.post("/", {"file": SimpleUploadedFile("seven.png", seven)})
    reader()
    upload = Upload.objects.get()
    assert shown(preview(client, upload)).size == (28, 28)
    assert preview(Client(), upload).status_code == 404
