"""Uploads of the API; the answers of models are stored rows."""

from base64 import b64encode

import pytest

from digits.models import Upload
from tests.api.clients import DIGITS, UPLOADS, problem, send
from tests.factories import make_reading, make_upload
from tests.storage import stored_files
from worker.reading.cautions import TEXTS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_an_upload_is_stored_for_its_sender_and_says_where_to_look(api, ann, seven):
    answer = send(api, seven)
    upload = Upload.objects.get()
    assert answer.status_code == 202
    assert answer["Location"] == f"http://testserver{UPLOADS}{upload.pk}/"
    assert (upload.user, upload.source, upload.name) == (ann, "api", "digit.png")
    with upload.file.open("rb") as file:
        assert file.read() == seven
    body = api.get(answer["Location"]).json()
    assert body == answer.json()
    assert (body["status"], body["reading"], body["digits"]) == ("queued", None, [])


def test_a_finished_upload_tells_its_reading_and_its_digits(api, ann, version):
    upload = make_reading(version, user=ann, digits=2)
    body = api.get(f"{UPLOADS}{upload.pk}/").json()
    assert (body["status"], body["reading"], body["corrected_reading"]) == ("done", "77", None)
    assert body["page"] == f"http://testserver/uploads/{upload.pk}/"
    digit = body["digits"][1]
    assert digit["box"] == {"x": 4, "y": 4, "width": 20, "height": 20}
    assert (digit["position"], digit["read_as"], digit["label"]) == (1, 7, None)
    assert (digit["confidence"], digit["version"]) == (0.91, 1)
    assert digit["top"][0] == {"label": 7, "probability": 0.91}
    assert len(digit["top"]) == 3


def test_what_a_reading_leaves_out_is_told_in_codes_and_on_its_page_in_words(
    api, client, ann, version
):
    client.force_login(ann)
    upload = make_reading(version, user=ann, cautions="at_edge not_digits")
    plain = make_reading(version, user=ann)
    assert api.get(f"{UPLOADS}{upload.pk}/").json()["warnings"] == ["at_edge", "not_digits"]
    assert api.get(f"{UPLOADS}{plain.pk}/").json()["warnings"] == []
    page = client.get(upload.get_absolute_url()).content.decode()
    assert TEXTS["at_edge"] in page
    assert TEXTS["not_digits"] in page
    assert TEXTS["at_edge"] not in client.get(plain.get_absolute_url()).content.decode()


def test_top_k_says_how_many_labels_are_told_up_to_not_a_digit(api, ann, version):
    upload = make_reading(version, None, user=ann)
    for count in (1, 11):
        (digit,) = api.get(f"{UPLOADS}{upload.pk}/?top_k={count}").json()["digits"]
        assert len(digit["top"]) == count
        assert digit["top"][0]["label"] == digit["read_as"] == 10
        assert digit["top"][0]["probability"] == pytest.approx(0.91)


def test_a_failed_upload_says_why_and_nothing_of_its_traceback(api, ann):
    fields = {"status": "failed", "error": "It is cut off.", "error_detail": "Traceback: x"}
    upload = make_upload(user=ann, **fields)
    answer = api.get(f"{UPLOADS}{upload.pk}/")
    assert answer.json()["error"] == "It is cut off."
    assert b"Traceback" not in answer.content


@pytest.mark.parametrize(
    ("data", "reason"), [(b"words", "not an image"), (b"", "empty"), (b"\x89PNG\r\n\x1a\n", "")]
)
def test_a_bad_file_is_refused_in_the_words_of_the_site(api, settings, data, reason):
    before = stored_files()
    body = problem(send(api, data), 400)
    assert body["errors"][0]["field"] == "file"
    assert reason in body["errors"][0]["message"]
    assert Upload.objects.count() == 0
    assert stored_files() == before


def test_an_upload_without_a_file_and_one_that_is_no_form_are_refused(api):
    (error,) = problem(api.post(UPLOADS, {}, format="multipart"), 400)["errors"]
    assert error["field"] == "file"
    assert "no image in what was sent" in error["message"]
    assert "text/plain" in problem(api.post(UPLOADS, "x", content_type="text/plain"), 415)["detail"]


@pytest.mark.parametrize(
    "query",
    ["wait=31", "wait=-1", "wait=nan", "wait=inf", "wait=soon", "top_k=0", "top_k=12", "top_k=x"],
)
def test_a_query_out_of_bounds_is_refused_with_its_name(api, seven, query):
    body = problem(send(api, seven, f"?{query}"), 400)
    assert body["errors"][0]["field"] == query.split("=")[0]
    assert Upload.objects.count() == 0


@pytest.mark.parametrize("query", ["status=lost", "source=moon", "page_size=0", "page_size=201"])
def test_a_filter_that_there_is_not_is_refused(api, query):
    body = problem(api.get(f"{UPLOADS}?{query}"), 400)
    assert body["errors"][0]["field"] == query.split("=")[0]


@pytest.mark.parametrize("cursor", ["x", b"p=abc", b"o=-1", b"p=2020-01-01", b"p=%00"])
def test_a_cursor_that_is_none_is_refused(api, ann, cursor):
    make_upload(user=ann)
    made_up = cursor if isinstance(cursor, str) else b64encode(cursor).decode()
    body = problem(api.get(UPLOADS, {"cursor": made_up}), 400)
    assert body["errors"][0]["field"] == "cursor"


def test_a_cursor_beyond_all_rows_gives_an_empty_page(api, ann):
    make_upload(user=ann)
    cursor = b64encode(b"p=-" + b"9" * 30).decode()
    assert api.get(UPLOADS, {"cursor": cursor}).json()["results"] == []


def test_the_list_is_newest_first_and_goes_on_by_cursor(api, ann):
    pks = [make_upload(user=ann).pk for _ in range(5)]
    first = api.get(f"{UPLOADS}?page_size=3").json()
    make_upload(user=ann)  # what comes in between shifts nothing
    second = api.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == pks[::-1]
    assert (first["previous"], second["next"]) == (None, None)


def test_the_list_filters_by_status_and_source(api, ann, version):
    waits = make_upload(user=ann, source="api")
    read = make_reading(version, user=ann)

    def found(query):
        return [row["id"] for row in api.get(f"{UPLOADS}?{query}").json()["results"]]

    assert found("status=queued") == found("source=api") == [waits.pk]
    assert found("status=done&source=file") == [read.pk]
    assert found("status=failed") == []


@pytest.mark.parametrize("count", [1, 40])
def test_lists_take_as_many_queries_for_many_rows(
    api, ann, version, count, django_assert_max_num_queries
):
    for _ in range(count):
        make_reading(version, user=ann, digits=2)
    for path, most in ((UPLOADS, 6), (DIGITS, 6), (f"{DIGITS}?review=1", 8)):
        with django_assert_max_num_queries(most):
            assert len(api.get(path).json()["results"]) >= count


def test_deleting_an_upload_takes_its_files_along(
    api, ann, version, settings, django_capture_on_commit_callbacks
):
    upload = make_reading(version, user=ann)
    with django_capture_on_commit_callbacks(execute=True):
        answer = api.delete(f"{UPLOADS}{upload.pk}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert stored_files() == []
    problem(api.delete(f"{UPLOADS}{upload.pk}/"), 404)
