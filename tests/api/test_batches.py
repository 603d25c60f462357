"""Bulk jobs of the API."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from digits.models import Batch, BatchItem
from tests.api.clients import problem
from tests.bulks import csv_of, idx, kaggle_csv, zip_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
BATCHES = "/api/v1/batches/"


def send(api, *files: tuple[str, bytes], labels: bytes | None = None, layout=None, **options):
    sent = {"file": [SimpleUploadedFile(*file) for file in files]}
    sent |= layout or {}
    if labels is not None:
        sent["labels"] = SimpleUploadedFile("labels", labels)
    return api.post(BATCHES, sent, format="multipart", **options)


def make_batch(user, **fields) -> Batch:
    given = {"kind": "csv", "name": "test.csv", "status": "done", "total": 2, "done": 2}
    batch = Batch.objects.create(user=user, **given | fields)
    shares = [0.01] * 7 + [0.9] + [0.01] * 2
    BatchItem.objects.bulk_create(
        BatchItem(batch=batch, number=n, reading="7", confidence=0.9, probabilities=shares)
        for n in (1, 2)
    )
    return batch


def test_a_batch_is_stored_for_its_sender_and_says_where_to_look(api, ann, mnist):
    answer = send(api, ("test.csv", kaggle_csv(mnist, 3)))
    batch = Batch.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver{BATCHES}{batch.pk}/"
    assert (batch.user, batch.source, batch.total) == (ann, "api", 3)
    body = api.get(answer["Location"]).json()
    assert body == answer.json()
    assert (body["status"], body["progress"], body["version"]) == ("queued", 0, None)
    assert body["page"] == f"http://testserver/batches/{batch.pk}/"
    assert body["results"] == f"http://testserver{BATCHES}{batch.pk}/results.csv"


def test_labels_come_as_a_field_or_as_a_second_file(api, mnist):
    images, labels = idx(mnist.images[:3]), idx(mnist.labels[:3])
    assert send(api, ("i", images), labels=labels).json()["labelled"]
    assert send(api, ("i", images), ("l", labels)).json()["labelled"]


def test_the_answer_says_how_the_rows_are_read_and_what_was_assumed(api, mnist):
    table = csv_of(255 - mnist.images[:20], mnist.labels[:20], label="last", names=None)
    body = send(api, ("test.csv", table)).json()
    assert (body["status"], body["labelled"]) == ("queued", True)
    assert body["layout"] == {
        "label_column": 785,
        "left_out": [],
        "has_header": False,
        "scale": [0, 255],
        "invert": True,
        "transpose": False,
        "assumptions": [
            "The labels are taken from the last column (label_column).",
            "High values are taken for paper and low ones for ink (invert).",
        ],
    }
    plain = send(api, ("test.csv", kaggle_csv(mnist, 20, labels=True))).json()["layout"]
    assert (plain["label_column"], plain["assumptions"]) == (1, [])


def test_the_sender_says_how_the_rows_are_to_be_read(api, mnist):
    table = csv_of(mnist.images[:20] / 255, [*range(20)], label_name="digit")
    body = problem(send(api, ("test.csv", table)), 400)
    assert "say with the option label_column" in body["detail"]
    assert body["errors"][0]["field"] == "label_column"
    said = {"label_column": "none", "scale": "1", "invert": "false", "transpose": "no"}
    layout = send(api, ("test.csv", table), layout=said).json()["layout"]
    assert (layout["label_column"], layout["left_out"], layout["scale"]) == (None, [1], [0, 1])
    refused = problem(send(api, ("test.csv", table), layout={"invert": "perhaps"}), 400)
    assert refused["errors"][0]["field"] == "invert"
    assert "expected yes or no, received “perhaps”" in refused["detail"]


def test_a_key_with_another_layout_is_refused(api, mnist):
    key, file = {"Idempotency-Key": "a key"}, ("test.csv", kaggle_csv(mnist, 20))
    assert send(api, file, layout={"scale": "255"}, headers=key).status_code == 201
    assert send(api, file, layout={"scale": "255"}, headers=key).status_code == 201
    problem(send(api, file, layout={"scale": "16"}, headers=key), 422)


def test_a_batch_from_before_layouts_has_none(api, ann):
    batch = make_batch(ann)
    assert api.get(f"{BATCHES}{batch.pk}/").json()["layout"] is None


def test_many_files_are_one_batch(api, seven):
    body = send(api, *((f"{n}.png", seven) for n in range(5))).json()
    assert (body["kind"], body["total"], body["name"]) == ("zip", 5, "5 images")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (("a.zip", zip_of({"../a.png": b"x"})), "leads out of the archive"),
        (("words.csv", b"words"), "cannot be read as CSV"),
        (("empty.csv", b""), "is empty"),
    ],
)
def test_a_refusal_has_its_reason(api, file, reason):
    body = problem(send(api, file), 400)
    assert reason in body["detail"]
    assert body["errors"][0]["field"] == "file"
    assert problem(api.post(BATCHES, {}, format="multipart"), 400)["detail"].startswith("Choose")
    problem(api.post(BATCHES, {"file": "x"}, format="json"), 415)
    assert not Batch.objects.exists()


def test_a_key_sent_twice_makes_one_batch(api, mnist):
    key, file = {"Idempotency-Key": "a key"}, ("test.csv", kaggle_csv(mnist, 3))
    assert send(api, file, headers=key)["Location"] == send(api, file, headers=key)["Location"]
    assert Batch.objects.count() == 1
    problem(send(api, ("test.csv", kaggle_csv(mnist, 2)), headers=key), 422)


def test_the_results_are_kaggles_or_with_confidences(api, ann):
    batch = make_batch(ann)
    answer = api.get(f"{BATCHES}{batch.pk}/results.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(answer.streaming_content) == b"ImageId,Label\n1,7\n2,7\n"
    answer = api.get(f"{BATCHES}{batch.pk}/results.csv?confidences=1")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert (rows[1]["confidence"], rows[1]["p7"]) == ("0.9", "0.9")
    problem(api.get(f"{BATCHES}{batch.pk}/results.csv?confidences=perhaps"), 400)


def test_unfinished_results_are_not_handed_out(api, ann):
    batch = make_batch(ann, status="running", done=1)
    detail = problem(api.get(f"{BATCHES}{batch.pk}/results.csv"), 409)["detail"]
    assert detail == "The bulk job has not ended yet."
    assert api.get(f"{BATCHES}{batch.pk}/").json()["progress"] == 0.5


def test_a_batch_is_cancelled_once(api, mnist):
    place = send(api, ("test.csv", kaggle_csv(mnist, 3)))["Location"]
    answer = api.post(f"{place}cancel/")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert problem(api.post(f"{place}cancel/"), 409)["detail"] == "The bulk job had ended already."


def test_a_deleted_batch_is_gone(api, ann):
    batch = make_batch(ann)
    assert api.delete(f"{BATCHES}{batch.pk}/").status_code == 204
    problem(api.get(f"{BATCHES}{batch.pk}/"), 404)
    assert not BatchItem.objects.exists()


def test_others_see_nothing_of_it_and_staff_all(api, ann, staff):
    batch = make_batch(get_user_model().objects.get(username="root"))
    for path in ("", "results.csv"):
        problem(api.get(f"{BATCHES}{batch.pk}/{path}"), 404)
        problem(APIClient().get(f"{BATCHES}{batch.pk}/{path}"), 401)
    problem(api.post(f"{BATCHES}{batch.pk}/cancel/"), 404)
    problem(api.delete(f"{BATCHES}{batch.pk}/"), 404)
    assert api.get(BATCHES).json()["results"] == []
    mine = make_batch(ann)
    assert staff.get(f"{BATCHES}{mine.pk}/").status_code == 200


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_takes_as_many_queries_for_many_batches(
    api, ann, version, count, django_assert_max_num_queries
):
    for _ in range(count):
        make_batch(ann, version=version)
    with django_assert_max_num_queries(3):
        assert len(api.get(BATCHES).json()["results"]) == count
