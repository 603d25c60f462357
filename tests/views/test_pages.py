"""The pages, through Django's test client; the answers of models are stored rows."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import Client

from digits.models import ModelVersion, Upload
from digits.uploads.waiting import hold_until_finished
from tests.factories import make_reading, make_upload
from tests.storage import stored_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def version():
    return ModelVersion.active()


@pytest.fixture
def account():
    return get_user_model().objects.create_user("ada", password="a-long-password")


def send(client: Client, data: bytes, name: str = "digit.png"):
    return client.post("/", {"file": SimpleUploadedFile(name, data)})


def test_an_upload_is_stored_and_its_page_waits(client, redis, seven):
    answer = send(client, seven)
    upload = Upload.objects.get()
    assert answer.status_code == 302
    assert answer.url == upload.get_absolute_url()
    with upload.file.open("rb") as file:
        assert file.read() == seven
    assert (upload.status, upload.name, upload.source) == ("queued", "digit.png", "file")
    page = client.get(answer.url).content.decode()
    assert "Waiting for a worker" in page
    assert f'hx-get="{answer.url}?wait=10"' in page


def test_a_finished_page_asks_no_more(client, version):
    client.force_login(get_user_model().objects.create_superuser("root"))
    upload = make_reading(version)
    page = client.get(upload.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" not in page
    assert "<html" not in page
    assert '<p class="answer">7</p>' in page
    assert "91.0 %" in page


def test_a_bad_file_leaves_no_row_and_no_file(client, settings):
    before = stored_files()
    answer = send(client, b"words")
    assert answer.status_code == 400
    assert "not an image" in answer.content.decode()
    assert Upload.objects.count() == 0
    assert stored_files() == before


def test_a_file_over_the_limit_is_refused(client, settings, seven):
    settings.MAX_UPLOAD_BYTES = 100
    assert "The file is too large" in send(client, seven).content.decode()


def test_a_form_without_a_file_says_so(client):
    answer = client.post("/", {})
    assert answer.status_code == 400
    assert "Choose an image first." in answer.content.decode()


def test_the_stored_path_holds_nothing_of_the_senders_name(client, redis, seven):
    send(client, seven, "../../etc/passwd.png")
    upload = Upload.objects.get()
    assert "passwd" not in upload.file.name
    assert upload.name == "passwd.png"


def test_a_stranger_sees_nothing_of_an_upload(client, redis, seven):
    url = send(client, seven).url
    stranger = Client()
    for path in (url, f"{url}preview", f"{url}file"):
        assert stranger.get(path).status_code == 404
    assert "digit.png" not in stranger.get("/uploads/").content.decode()
    assert client.get(url).status_code == 200


def test_an_account_sees_its_own_and_staff_sees_all(client, account, version):
    other = make_reading(version, visitor="somebody else", name="theirs.png")
    mine = make_reading(version, user=account, name="mine.png")
    client.force_login(account)
    page = client.get("/uploads/").content.decode()
    assert "mine.png" in page
    assert "theirs.png" not in page
    assert client.get(mine.get_absolute_url()).status_code == 200
    assert client.get(other.get_absolute_url()).status_code == 404
    client.force_login(get_user_model().objects.create_superuser("root"))
    page = client.get("/uploads/").content.decode()
    assert "mine.png" in page
    assert "theirs.png" in page


def test_the_history_is_newest_first_in_pages(client, account):
    for number in range(30):
        make_upload(user=account, name=f"image-{number}.png")
    client.force_login(account)
    first = client.get("/uploads/").content.decode()
    second = client.get("/uploads/?page=2").content.decode()
    assert first.index("image-29.png") < first.index("image-6.png")
    assert "image-5.png" not in first
    assert "image-5.png" in second


def test_an_empty_history_says_what_to_do(client):
    assert "Read the first image" in client.get("/uploads/").content.decode()


@pytest.mark.parametrize("count", [1, 24])
def test_the_history_takes_as_many_queries_for_many_rows(
    client, account, version, count, django_assert_max_num_queries
):
    client.force_login(account)
    for _ in range(count):
        make_reading(version, user=account)
    with django_assert_max_num_queries(6):
        client.get("/uploads/")


def test_a_result_of_many_digits_takes_few_queries(
    client, account, version, django_assert_max_num_queries
):
    client.force_login(account)
    upload = make_reading(version, user=account, digits=8)
    with django_assert_max_num_queries(6):
        page = client.get(upload.get_absolute_url()).content.decode()
    assert page.count("<meter") == 8 * 11


def test_digit_pixels_are_a_png_that_browsers_keep(client, account, version):
    client.force_login(account)
    digit = make_reading(version, user=account).digits.get()
    answer = client.get(f"/digit/{digit.pk}.png")
    assert answer.content.startswith(b"\x89PNG")
    assert "immutable" in answer["Cache-Control"]
    assert Client().get(f"/digit/{digit.pk}.png").status_code == 404


def test_an_original_is_only_ever_downloaded(client, account):
    client.force_login(account)
    upload = make_upload(b"<script>alert(1)</script>", user=account, name="evil.html")
    answer = client.get(f"{upload.get_absolute_url()}file")
    assert answer["Content-Type"] == "application/octet-stream"
    assert "attachment" in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer.streaming_content) == b"<script>alert(1)</script>"


def test_the_reason_of_a_failure_is_shown_and_its_traceback_to_staff_only(client, account):
    upload = make_upload(
        user=account, status="failed", error="It is cut off.", error_detail="Traceback: x"
    )
    client.force_login(account)
    page = client.get(upload.get_absolute_url()).content.decode()
    assert "It is cut off." in page
    assert "Traceback: x" not in page
    client.force_login(get_user_model().objects.create_superuser("root"))
    assert "Traceback: x" in client.get(upload.get_absolute_url()).content.decode()


def test_a_page_that_is_not_there_is_a_page_of_ours(client):
    answer = client.get("/nothing/")
    assert answer.status_code == 404
    assert "Back to the start" in answer.content.decode()


def test_an_error_of_ours_is_a_page_of_ours(client, account, settings):
    client.raise_request_exception = False
    client.force_login(account)
    upload = make_reading(ModelVersion.active(), user=account)
    Upload.objects.filter(pk=upload.pk).update(preview="previews")
    (settings.MEDIA_ROOT / "previews").mkdir(
        parents=True, exist_ok=True
    )  # a folder where a file should be
    answer = client.get(f"{upload.get_absolute_url()}preview")
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_a_form_without_its_token_is_refused_with_a_page():
    answer = Client(enforce_csrf_checks=True).post("/", {})
    assert answer.status_code == 403
    assert "The form is too old" in answer.content.decode()


def test_pages_have_a_strict_content_security_policy(client):
    policy = client.get("/")["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'"):
        assert part in policy.split("; ")
    assert "unsafe" not in policy


def test_people_sign_in_and_out(client, account):
    fields = {"username": "ada", "password": "a-long-password"}
    assert client.post("/accounts/login/", fields).url == "/"
    assert "Sign out" in client.get("/").content.decode()
    client.post("/accounts/logout/")
    assert "Sign in" in client.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_row(version, settings):
    upload = make_reading(version)
    names = [upload.file.name, upload.preview.name]
    assert all(map(default_storage.exists, names))
    upload.delete()
    assert not any(map(default_storage.exists, names))


def test_what_was_sent_before_signing_in_comes_along(client, account, redis, seven):
    url = send(client, seven).url
    client.post("/accounts/login/", {"username": "ada", "password": "a-long-password"})
    assert client.get(url).status_code == 200
    client.post("/accounts/logout/")
    assert client.get(url).status_code == 404
    client.post("/accounts/login/", {"username": "ada", "password": "a-long-password"})
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("wait", ["nan", "inf", "-1", "soon", ""])
def test_a_wait_that_is_no_number_of_seconds_is_no_wait(client, redis, seven, wait):
    url = send(client, seven).url
    assert client.get(f"{url}?wait={wait}").status_code == 200


@pytest.mark.parametrize("path", ["/uploads/", "upload"])
def test_a_part_of_a_page_is_never_kept_in_its_place(client, redis, seven, path):
    url = send(client, seven).url if path == "upload" else path
    part = client.get(url, headers={"HX-Request": "true"})
    assert part["Cache-Control"] == "no-store"
    assert "HX-Request" in part["Vary"]
    assert "HX-Request" in client.get(url)["Vary"]


def test_staff_finds_its_own_latest_on_the_start_page(client, account, version):
    make_reading(version, user=account, name="theirs.png")
    client.force_login(get_user_model().objects.create_superuser("root"))
    assert "theirs.png" not in client.get("/").content.decode()


def test_what_is_no_digit_is_called_that_on_every_page(client, version, account):
    client.force_login(account)
    upload = make_reading(version, value=None, user=account)
    page = client.get(upload.get_absolute_url()).content.decode()
    assert "Not a digit" in page
    assert '<p class="answer">' not in page
    assert '<g class="none"' in page
    assert "91.0 %" in page
    assert "not a digit" in client.get("/uploads/").content.decode()
    assert "no digit found" not in client.get("/uploads/").content.decode()


def test_a_blank_picture_has_no_digit(client, account):
    client.force_login(account)
    upload = make_upload(user=account, status="done", width=20, height=20)
    assert "No digit found" in client.get(upload.get_absolute_url()).content.decode()
    assert "no digit found" in client.get("/uploads/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_upload_is_deleted_with_its_files_after_a_question(client, account, version, settings):
    client.force_login(account)
    upload = make_reading(version, user=account, name="gone.png")
    url = f"{upload.get_absolute_url()}delete"
    assert "Delete gone.png?" in client.get(url).content.decode()
    assert Upload.objects.count() == 1
    answer = client.post(url)
    assert answer.url == "/uploads/"
    assert "gone.png was deleted." in client.get(answer.url).content.decode()
    assert Upload.objects.count() == 0
    assert stored_files() == []


def test_nobody_deletes_the_upload_of_another(client, account, version):
    upload = make_reading(version, user=account)
    assert client.post(f"{upload.get_absolute_url()}delete").status_code == 404
    assert Upload.objects.count() == 1


def test_a_reading_is_downloaded_as_text_with_its_lines_and_corrections(client, account, version):
    client.force_login(account)
    upload = make_reading(version, user=account, digits=2, name="page.png")
    Upload.objects.filter(pk=upload.pk).update(reading="7 7")
    upload.digits.filter(position=1).update(line=1)
    answer = client.get(f"{upload.get_absolute_url()}reading.txt")
    assert answer.content == b"7\n7\n"
    assert 'filename="page.txt"' in answer["Content-Disposition"]
    upload.digits.filter(position=1).update(label=3)
    assert client.get(f"{upload.get_absolute_url()}reading.txt").content == b"7\n3\n"


def test_a_visitor_reads_the_result_as_json_too(client, redis, seven):
    url = send(client, seven).url
    (path,) = re.findall(r'href="(/api/v1/uploads/\d+/)"', _done(client, url))
    assert client.get(path).json()["status"] == "done"


def _done(client, url: str) -> str:
    Upload.objects.update(status="done", width=28, height=28)
    return client.get(url).content.decode()


def test_the_footer_says_where_docs_and_source_are(client, settings):
    page = client.get("/").content.decode()
    assert '<a href="/api/docs/">API</a>' in page
    assert "Source</a>" not in page
    settings.SOURCE_URL = "https://example.org/digits"
    assert '<a href="https://example.org/digits"' in client.get("/").content.decode()


def test_the_icon_is_where_browsers_look_for_it(client):
    assert client.get("/favicon.ico").url == "/static/digits/favicon.svg"


def test_messages_come_with_the_part_that_htmx_fetches(client, redis, seven):
    several = [SimpleUploadedFile(f"{number}.png", seven) for number in range(2)]
    client.post("/", {"file": several})
    part = client.get("/uploads/", headers={"HX-Request": "true"}).content.decode()
    assert '<div id="messages" role="status" hx-swap-oob="true">' in part
    assert "2 images were sent." in part
    assert (
        "messages" not in client.get("/uploads/", headers={"HX-Request": "true"}).content.decode()
    )


def test_who_waits_for_an_upload_that_is_deleted_meanwhile_hears_that_it_is_gone(redis):
    upload = make_upload()
    Upload.objects.all().delete()
    with pytest.raises(Http404):
        hold_until_finished(upload, 5)
