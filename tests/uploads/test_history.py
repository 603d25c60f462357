"""The history: searched, filtered, in pages, downloaded, and cleaned up."""

import csv
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.db import connection

from digits.accounts.owners import Owner
from digits.learning.corrections import correct
from digits.models import ModelVersion, Rereading, Upload
from digits.uploads import history
from tests.factories import make_reading, make_upload

pytestmark = pytest.mark.django_db
# About what ANALYZE finds with a million uploads of an account, and a hundred thousand of others.
STATISTICS = {
    "upload_of_user": "1000800 1000800 1 1 1 1 1 1 1",
    "upload_of_visitor": "100000 200 1 1 1 1 1 1 1",
    "upload_of_anybody": "1100800 1 1 1 1 1 1 1",
    "upload_not_done_of_user": "9972 9972 9972 1",
    "upload_not_done_of_visitor": "1001 3 3 1",
    "upload_not_done": "10973 10973 1",
    "upload_verdict_of_user": "29700 29700 9900 1",
    "upload_verdict_of_visitor": "2970 8 4 1",
    "upload_verdict": "32670 10890 1",
    "upload_reading_of_user": "990829 11 11 1",
    "upload_reading_of_visitor": "99000 11 10 1",
    "upload_reading": "1089827 11 1",
    "upload_corrected_of_user": "9700 98 98 1",
    "upload_corrected_of_visitor": "997 98 10 1",
    "upload_corrected": "10697 107 1",
    "upload_by_time": "1100800 10",
    "upload_finished": "1100800 1",
}


@pytest.fixture
def ann(client):
    user = get_user_model().objects.create_user("ann", password="x")
    client.force_login(user)
    return user


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_superuser("root")
    client.force_login(user)
    return user


@pytest.fixture
def version():
    return ModelVersion.active()


@pytest.fixture
def five(ann, version):
    """Five uploads of ann: 4, 42 in two lines, 7 corrected to 1, what failed, what waits."""
    rows = {
        "four": make_reading(version, value=4, user=ann),
        "lines": make_reading(version, value=4, user=ann),
        "one": make_reading(version, value=7, user=ann, source="api"),
        "failed": make_upload(user=ann, status="failed", error="It is cut off."),
        "waits": make_upload(user=ann),
    }
    Upload.objects.filter(pk=rows["lines"].pk).update(reading="4 2", confidence=0.5)
    correct(rows["one"].digits.get(), 1)
    correct(rows["four"].digits.get(), 4)
    return rows


def shown(client, query: str) -> list[int]:
    """The numbers of the uploads on a page, from the first to the last."""
    page = client.get(f"/uploads/?{query}").content.decode()
    return [int(key) for key in re.findall(r'id="upload-(\d+)"', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["waits", "failed", "one", "lines", "four"]),
        ("reading=4", ["four"]),
        ("reading=4+2", ["lines"]),
        ("reading=++4+++2+", ["lines"]),
        ("reading=1", ["one"]),
        ("reading=7", ["one"]),
        ("reading=%25", []),
        ("state=failed", ["failed"]),
        ("state=queued", ["waits"]),
        ("sure=1", ["one", "four"]),
        ("sure=3", ["lines"]),
        ("verdict=corrected", ["one"]),
        ("verdict=confirmed", ["four"]),
        ("verdict=none&state=done", ["lines"]),
        ("source=api", ["one"]),
        ("version=1", ["one", "lines", "four"]),
        ("reading=7&verdict=confirmed", []),
        ("state=&sure=&since=", ["waits", "failed", "one", "lines", "four"]),
    ],
)
def test_it_finds_what_all_filters_let_through(client, five, query, found):
    assert shown(client, query) == [five[name].pk for name in found]


def at(upload, *when):
    Upload.objects.filter(pk=upload.pk).update(created_at=datetime(*when, tzinfo=UTC))


def test_days_are_those_of_the_readers_zone(client, ann):
    evening, morning = make_upload(user=ann), make_upload(user=ann)
    at(evening, 2026, 3, 1, 22, 30)
    at(morning, 2026, 3, 2, 9)
    day = "since=2026-03-02&until=2026-03-02"
    assert shown(client, day) == [morning.pk]
    assert shown(client, f"{day}&zone=Nowhere/Land") == [morning.pk]
    assert shown(client, f"{day}&zone=Asia/Tokyo") == [morning.pk, evening.pk]
    assert shown(client, "until=2026-03-01") == [evening.pk]


@pytest.mark.parametrize(
    "query",
    [
        *("state=nonsense", "sure=9", "version=99", "version=x", "version=" + "9" * 30),
        *("since=yesterday", "since=2026-03-02&until=2026-03-01", "source=moon"),
    ],
)
def test_a_filter_that_makes_no_sense_says_so(client, five, query):
    answer = client.get(f"/uploads/?{query}")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'role="alert"' in page
    assert "Clear the filter" in page
    assert 'id="upload-' not in page
    assert client.get(f"/uploads.csv?{query}").url == f"/uploads/?{query}"


def test_nobody_finds_what_is_not_theirs(client, ann, version):
    make_reading(version, value=4, visitor="somebody else")
    assert shown(client, "reading=4") == []
    assert client.get("/uploads.csv").getvalue().count(b"\n") == 1


def test_staff_finds_everybodys_and_sees_whose_it_is(client, staff, five, ann):
    make_reading(ModelVersion.active(), value=4, visitor="b" * 32)
    client.force_login(staff)
    page = client.get("/uploads/?reading=4").content.decode()
    assert "by ann" in page
    assert "by a visitor" in page


def test_what_is_filtered_can_be_taken_away_one_by_one(client, five):
    page = client.get("/uploads/?reading=7&source=api&page=3").content.decode()
    assert 'href="/uploads/?source=api" aria-label="Without Reads: 7"' in page
    assert 'href="/uploads/?reading=7" aria-label="Without Source: API"' in page
    assert 'href="/uploads/">Clear the filter</a>' in page


def test_nothing_found_says_how_to_clear_the_filter(client, five):
    page = client.get("/uploads/?reading=421").content.decode()
    assert "No upload matches." in page
    assert '<a class="button" href="/uploads/">Clear the filter</a>' in page


def test_pages_keep_the_filter(client, ann):
    for _ in range(30):
        make_upload(user=ann)
    page = client.get("/uploads/?state=queued&page=2").content.decode()
    assert 'href="?state=queued&amp;page=1"' in page
    assert 'href="/uploads.csv?state=queued"' in page
    assert "30 uploads, page 2 of 2" in page


@pytest.mark.parametrize("number", ["0", "-1", "x", "99", "9" * 5000, "", "²"])
def test_a_page_that_is_not_there_is_the_nearest(client, ann, number):
    upload = make_upload(user=ann)
    assert shown(client, f"page={number}") == [upload.pk]


def test_it_counts_no_further_than_it_must(ann, monkeypatch):
    monkeypatch.setattr(history, "COUNTED", 2)
    monkeypatch.setattr(history, "PAGE_SIZE", 1)
    for _ in range(5):
        make_upload(user=ann)
    mine = Upload.objects.filter(user=ann)
    first, third = history.Pages([mine], "1"), history.Pages([mine], "3")
    assert (first.counted, first.more) == (2, True)
    assert (third.counted, third.more, third.here().number) == (3, True, 3)
    assert (history.Pages([mine], "5").counted, history.Pages([mine], "5").more) == (5, False)


@pytest.mark.parametrize("query", ["", "reading=7", "state=done&sure=1&version=1", "page=2"])
@pytest.mark.parametrize("count", [1, 24])
def test_it_takes_as_many_queries_for_many_rows(
    client, staff, version, query, count, django_assert_max_num_queries
):
    for number in range(count):
        user = get_user_model().objects.create_user(f"user-{number}")
        correct(make_reading(version, user=user).digits.get(), 4)
    with django_assert_max_num_queries(9):
        client.get(f"/uploads/?{query}")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL scans what is so little")
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "COVERING INDEX upload_of_OWNER"),
        ({"sure": "3", "source": "api", "verdict": "none"}, "COVERING INDEX upload_of_OWNER"),
        ({"since": "2026-03-01", "version": "1"}, "COVERING INDEX upload_of_OWNER"),
        ({"reading": "42"}, "COVERING INDEX upload_reading_of_OWNER"),
        ({"reading": "42"}, "INDEX upload_corrected_of_OWNER"),
        ({"state": "failed"}, "COVERING INDEX upload_not_done_of_OWNER"),
        ({"state": "queued"}, "COVERING INDEX upload_not_done_of_OWNER"),
        ({"state": "done"}, "COVERING INDEX upload_of_OWNER"),
        ({"verdict": "corrected"}, "COVERING INDEX upload_verdict_of_OWNER"),
        ({"verdict": "none"}, "COVERING INDEX upload_of_OWNER"),
    ],
)
@pytest.mark.parametrize("who", ["user", "visitor", "anybody"])
@pytest.mark.parametrize("is_analyzed", [False, True])
def test_pages_come_from_an_index_in_its_order(ann, who, query, index, is_analyzed):
    index = index.replace("upload_of_OWNER", f"upload_of_{who}")
    index = index.replace("_of_OWNER", "" if who == "anybody" else f"_of_{who}")
    if is_analyzed:
        tell_statistics_of_many()
    staff = get_user_model()(is_staff=True, is_superuser=True, pk=1)
    owners = {
        "user": Owner(ann, {}),
        "visitor": Owner(None, {"visitor": "b"}),
        "anybody": Owner(staff, {}),
    }
    parts = history.Filter(query).parts_of(Upload.objects.visible_to(owners[who]))
    plan = "\n".join(part.values_list("pk", flat=True)[24:48].explain() for part in parts)
    assert f"{index} " in f"{plan} "
    assert "TEMP B-TREE" not in plan


def tell_statistics_of_many():
    """Have SQLite plan with the statistics that ANALYZE found with a million uploads."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("DELETE FROM sqlite_stat1")
        rows = [("digits_upload", *one) for one in STATISTICS.items()]
        cursor.executemany("INSERT INTO sqlite_stat1 VALUES (%s, %s, %s)", rows)
        cursor.execute("ANALYZE sqlite_schema")


def test_whose_reading_is_as_it_was_corrected_is_found_once(client, ann, version):
    upload = make_reading(version, value=4, user=ann)
    Upload.objects.filter(pk=upload.pk).update(corrected="4")
    assert shown(client, "reading=4") == [upload.pk]


def test_what_was_read_and_what_was_corrected_come_in_one_order(client, ann, version):
    uploads = [make_reading(version, value=value, user=ann) for value in (4, 7, 4, 7, 4)]
    for upload in uploads[1::2]:
        correct(upload.digits.get(), 4)
    assert shown(client, "reading=4") == [upload.pk for upload in reversed(uploads)]


def rows_of(answer) -> list[dict]:
    return list(csv.DictReader(answer.getvalue().decode().splitlines()))


def test_all_that_matches_is_downloaded_as_csv(client, five):
    answer = client.get("/uploads.csv?version=1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="digits-[\d-]+\.csv"', answer["Content-Disposition"])
    one, lines, four = rows_of(answer)
    assert (one["upload"], one["reading"], one["corrected"]) == (str(five["one"].pk), "7", "1")
    assert (one["confidence"], one["version"], one["source"]) == ("0.91", "1", "api")
    assert lines["reading"] == "4 2"
    assert (four["correction"], four["sent"][-6:]) == ("confirmed", "+00:00")


def test_the_csv_has_what_failed_with_its_reason(client, five):
    (row,) = rows_of(client.get("/uploads.csv?state=failed"))
    assert (row["error"], row["confidence"], row["version"]) == ("It is cut off.", "", "")


def test_a_file_name_is_no_formula_in_the_csv(client, ann):
    make_upload(user=ann, name='=HYPERLINK("x")')
    (row,) = rows_of(client.get("/uploads.csv"))
    assert row["file"] == '\'=HYPERLINK("x")'


def test_a_negative_number_stays_one_in_the_csv(client, ann):
    for reading in ("-3.14", "-3-14"):
        make_upload(user=ann, reading=reading)
    rows = rows_of(client.get("/uploads.csv"))
    assert sorted(row["reading"] for row in rows) == ["'-3-14", "-3.14"]


def test_the_csv_of_many_takes_few_queries(client, ann, django_assert_max_num_queries):
    for _ in range(30):
        make_upload(user=ann)
    with django_assert_max_num_queries(4):  # session, account, audit event, uploads
        assert len(rows_of(client.get("/uploads.csv"))) == 30


def test_what_is_deleted_is_asked_for_first(client, five):
    keys = [five["four"].pk, five["failed"].pk]
    page = client.post("/uploads/delete", {"upload": keys, "back": "state=failed"}).content.decode()
    assert "Delete 2 uploads?" in page
    assert page.count('name="upload"') == 2
    assert 'href="/uploads/?state=failed"' in page
    assert Upload.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_the_marked_are_deleted_with_their_files(client, five, settings):
    keys = [five["four"].pk, five["failed"].pk]
    names = [five[name].file.name for name in ("four", "failed")]
    fields = {"upload": keys, "back": "sure=1", "sure": "yes"}
    answer = client.post("/uploads/delete", fields, follow=True)
    assert answer.redirect_chain == [("/uploads/?sure=1", 302)]
    assert "2 uploads were deleted." in answer.content.decode()
    assert set(Upload.objects.all()) == {five["lines"], five["one"], five["waits"]}
    assert not any(map(default_storage.exists, names))


@pytest.mark.parametrize("keys", [[], ["x"], ["-1"], ["9" * 30], ["THEIRS"]])
def test_what_is_not_there_or_not_theirs_is_not_deleted(client, five, version, keys):
    theirs = make_reading(version, visitor="b" * 32)
    keys = [str(theirs.pk) if key == "THEIRS" else key for key in keys]
    answer = client.post("/uploads/delete", {"upload": keys, "sure": "yes"}, follow=True)
    assert "Select the uploads to delete first." in answer.content.decode()
    assert Upload.objects.count() == 6


def test_a_link_of_another_site_leads_nowhere_else(client, five):
    fields = {"upload": [five["four"].pk], "sure": "yes", "back": "https://evil.example/"}
    assert client.post("/uploads/delete", fields).url.startswith("/uploads/?")


def test_staff_has_the_marked_read_again(client, staff, five, redis):
    client.force_login(staff)
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    keys = [five[name].pk for name in ("four", "one", "failed")]
    fields = {"upload": keys, "version": "2", "back": "page=1"}
    page = client.post("/uploads/again", fields, follow=True).content.decode()
    assert "2 uploads are read again by version 2." in page
    asked = Rereading.objects.filter(version=second, requested_by=staff)
    assert {row.upload_id for row in asked} == {five["four"].pk, five["one"].pk}


def test_reading_again_needs_a_version_marked_uploads_and_staff(client, staff, five, ann):
    client.force_login(staff)
    for fields in ({"version": "1"}, {"upload": [five["four"].pk], "version": "9"}):
        page = client.post("/uploads/again", fields, follow=True).content.decode()
        assert "Select the uploads to read again first." in page
    client.force_login(ann)
    assert client.post("/uploads/again", {"version": "1"}).status_code == 403
    assert "Read them again" not in client.get("/uploads/").content.decode()
    assert Rereading.objects.count() == 0


def test_only_what_is_unfinished_is_asked_for_again(client, five):
    part = client.get("/uploads/?state=queued", headers={"HX-Request": "true"}).content.decode()
    assert 'hx-get="/uploads/?state=queued"' in part
    assert f'id="mark-{five["waits"].pk}"' in part
    assert "hx-get" not in client.get("/uploads/?state=done").content.decode()
