"""The pages of bulk jobs."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from digits.batches import parts
from digits.models import Batch, BatchItem, ModelVersion
from tests.bulks import csv_of, kaggle_csv, zip_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def account(client):
    user = get_user_model().objects.create_user("ada", password="a-long-password")
    client.force_login(user)
    return user


def send(client: Client, *files: tuple[str, bytes], **said: str):
    sent = [SimpleUploadedFile(*file) for file in files]
    return client.post("/batches/", {"file": sent, **said})


def make_batch(rows: int = 12, **fields) -> Batch:
    """A batch of CSV that was read: its rows are 7s, but for a bad one in every ten."""
    given = {"kind": "csv", "name": "mine.csv", "status": "done", "file": "batches/x"}
    batch = Batch.objects.create(total=rows, done=rows, bad=rows // 10, **given | fields)
    shares = [0.004] * 7 + [0.96] + [0.004] * 2
    good = {"reading": "7", "confidence": 0.96, "probabilities": shares}
    BatchItem.objects.bulk_create(
        BatchItem(batch=batch, number=n, **({"error": "It is short."} if n % 10 == 0 else good))
        for n in range(1, rows + 1)
    )
    return batch


def rows_of(answer) -> list[dict]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_a_file_is_stored_and_leads_to_its_page(client, mnist):
    answer = send(client, ("mine.csv", kaggle_csv(mnist, 3)))
    batch = Batch.objects.get()
    assert answer.url == f"/batches/{batch.pk}/"
    page = client.get(answer.url).content.decode()
    assert "Waiting for a worker" in page
    assert f'hx-get="/batches/{batch.pk}/"' in page
    assert "mine.csv" in client.get("/batches/").content.decode()


def test_what_was_assumed_is_shown_before_anything_is_read(client, mnist):
    table = csv_of(mnist.images[:20] / 255, mnist.labels[:20])
    url = send(client, ("mine.csv", table)).url
    page = client.get(url).content.decode()
    assert "Nothing is read before you confirm it." in page
    assert "Values from 0 to 1 are taken for paper to full ink (scale 1)." in page
    assert "hx-get" not in page
    assert parts.claim() is None
    parts.sweep()
    assert parts.claim() is None
    page = client.post(f"{url}confirm", follow=True).content.decode()
    assert "Waiting for a worker" in page
    assert "Values from 0 to 1 are taken" in page
    assert parts.claim().rows == 20
    page = client.post(f"{url}confirm", follow=True).content.decode()
    assert "confirmed already" in page


def test_a_job_that_waits_for_a_word_is_deleted_and_is_none_under_way(client, mnist, settings):
    settings.QUOTA_ANONYMOUS = {**settings.QUOTA_ANONYMOUS, "batches": 1}
    table = ("mine.csv", csv_of(mnist.images[:20] / 255))
    first, second = (send(client, table).url for _ in range(2))
    client.post(f"{first}confirm")
    page = client.post(f"{second}confirm", follow=True).content.decode()
    assert "The limit of bulk jobs under way is reached (1)" in page
    assert Batch.objects.filter(status="held").count() == 1
    client.post(f"{second}delete")
    assert Batch.objects.get().status == "queued"


def test_the_form_says_otherwise_and_is_kept_after_a_question(client, mnist):
    table = csv_of(mnist.images[:20], [*range(20)])
    answer = send(client, ("mine.csv", table), scale="255", invert="no")
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "say with the option label_column" in page
    assert 'name="scale" id="id_scale" maxlength="200" value="255"' in page
    assert '<option value="no" selected>ink</option>' in page
    assert '<details class="kinds" open>' in page
    send(client, ("mine.csv", table), label_column="none", transpose="no")
    assert not Batch.objects.get().labelled


def test_the_page_shows_why_a_file_is_refused(client):
    for files, reason in (
        ([("a.zip", zip_of({"../a.png": b"x"}))], "leads out of the archive"),
        ([("words.csv", b"words")], "cannot be read as CSV"),
        ([], "Choose a file first."),
    ):
        answer = send(client, *files)
        assert answer.status_code == 400
        assert reason in answer.content.decode()
    assert not Batch.objects.exists()


def test_an_empty_list_says_what_to_do(client):
    assert "There are no bulk jobs yet" in client.get("/batches/").content.decode()


def test_a_finished_page_asks_no_more_and_offers_the_results(client, account):
    batch = make_batch(user=account, version=ModelVersion.active())
    page = client.get(batch.get_absolute_url(), headers=HTMX).content.decode()
    assert "hx-get" not in page
    assert "<html" not in page
    assert "All 12 are done; 1 could not be read" in page
    assert "It is short." in page
    assert f'href="/batches/{batch.pk}/results.csv"' in page
    assert "version 1" in page


def test_a_running_page_shows_its_progress_and_offers_to_cancel(client, account):
    batch = make_batch(user=account, status="running")
    Batch.objects.update(total=24)
    page = client.get(batch.get_absolute_url()).content.decode()
    assert '<progress max="1" value="0.500000"' in page
    assert "12 of 24" in page
    assert "Download the results" not in page
    client.post(f"/batches/{batch.pk}/cancel")
    page = client.get(batch.get_absolute_url()).content.decode()
    assert "12 of 24 were read before" in page
    assert "Download the results" in page


def test_with_labels_the_page_shows_how_many_are_right(client, account):
    confusion = [[0] * 11 for _ in range(11)]
    confusion[7][7], confusion[7][1] = 9, 2
    batch = make_batch(user=account, labelled=True, right=9, confusion=confusion)
    page = client.get(batch.get_absolute_url()).content.decode()
    assert "81.82 %" in page
    assert 'class="wrong-5">2</td>' in page


def test_the_results_are_kaggles_submission(client, account):
    batch = make_batch(user=account)
    answer = client.get(f"/batches/{batch.pk}/results.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="mine-results.csv"'
    rows = rows_of(answer)
    assert [row["ImageId"] for row in rows] == [str(n) for n in range(1, 13)]
    assert {row["Label"] for row in rows[:9]} == {"7"}
    assert rows[9]["Label"] == ""


def test_the_results_with_confidences_have_all_there_is(client, account):
    batch = make_batch(user=account)
    rows = rows_of(client.get(f"/batches/{batch.pk}/results.csv?confidences=1"))
    assert (rows[0]["reading"], rows[0]["confidence"], rows[0]["p7"]) == ("7", "0.96", "0.96")
    assert rows[9]["error"] == "It is short."


def test_many_results_come_in_order_with_few_queries(
    client, account, django_assert_max_num_queries
):
    batch = make_batch(5000, user=account)
    with django_assert_max_num_queries(8):
        rows = rows_of(client.get(f"/batches/{batch.pk}/results.csv"))
    assert [int(row["ImageId"]) for row in rows] == list(range(1, 5001))


def test_unfinished_results_are_not_handed_out(client, account):
    batch = make_batch(user=account, status="running")
    answer = client.get(f"/batches/{batch.pk}/results.csv", follow=True)
    assert "can be downloaded when the job has ended" in answer.content.decode()


def test_deleting_asks_first(client, account):
    batch = make_batch(user=account)
    assert "Delete mine.csv?" in client.get(f"/batches/{batch.pk}/delete").content.decode()
    assert Batch.objects.exists()
    answer = client.post(f"/batches/{batch.pk}/delete", follow=True)
    assert "mine.csv was deleted." in answer.content.decode()
    assert not Batch.objects.exists()
    assert not BatchItem.objects.exists()


def test_a_job_that_had_ended_is_not_cancelled(client, account):
    batch = make_batch(user=account)
    answer = client.post(f"/batches/{batch.pk}/cancel", follow=True)
    assert "had ended already" in answer.content.decode()


def test_a_stranger_sees_nothing_and_staff_sees_all(client, account):
    batch = make_batch(user=account)
    stranger, staff = Client(), Client()
    staff.force_login(get_user_model().objects.create_superuser("root"))
    for path in ("", "results.csv", "delete"):
        assert stranger.get(f"/batches/{batch.pk}/{path}").status_code == 404
        assert staff.get(f"/batches/{batch.pk}/{path}").status_code == 200
    assert stranger.post(f"/batches/{batch.pk}/cancel").status_code == 404
    assert "mine.csv" not in stranger.get("/batches/").content.decode()
    assert "mine.csv" in staff.get("/batches/").content.decode()


def test_a_visitors_jobs_come_along_when_it_signs_in(client, mnist):
    get_user_model().objects.create_user("ada", password="a-long-password")
    url = send(client, ("test.csv", kaggle_csv(mnist, 1))).url
    client.post("/accounts/login/", {"username": "ada", "password": "a-long-password"})
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_takes_as_many_queries_for_many_jobs(
    client, account, count, django_assert_max_num_queries
):
    for _ in range(count):
        make_batch(3, user=account)
    with django_assert_max_num_queries(5):
        page = client.get("/batches/").content.decode()
    assert page.count("mine.csv") == count


def test_the_page_of_a_job_takes_few_queries(client, account, django_assert_max_num_queries):
    batch = make_batch(600, user=account, version=ModelVersion.active())
    with django_assert_max_num_queries(6):
        client.get(batch.get_absolute_url())


def test_the_admin_shows_jobs_and_their_rows(client):
    client.force_login(get_user_model().objects.create_superuser("root"))
    batch = make_batch()
    for path in (
        "batch/",
        f"batch/{batch.pk}/change/",
        "batchitem/",
        f"batchitem/{batch.items.first().pk}/change/",
    ):
        assert client.get(f"/admin/digits/{path}").status_code == 200
    answer = client.post(f"/admin/digits/batch/{batch.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not Batch.objects.exists()
