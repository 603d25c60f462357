"""Errors of the API are problem details."""

import pytest
from django.contrib.auth import get_user_model

from digits.models import Upload
from tests.api.clients import DIGITS, UPLOADS, problem, program, send
from tests.factories import make_reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_every_problem_of_the_frame_is_problem_details(api):
    problem(api.get("/api/v1/nothing/"), 404)
    problem(api.put(UPLOADS), 405)
    problem(api.options(UPLOADS), 405)
    problem(api.get(UPLOADS, headers={"Accept": "text/html"}), 406)
    problem(api.patch(f"{DIGITS}1/", b"{", content_type="application/json"), 404)
    problem(api.get(f"{UPLOADS}{'9' * 30}/"), 404)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(api, ann, version, body):
    digit = make_reading(version, user=ann).digits.get()
    problem(api.patch(f"{DIGITS}{digit.pk}/", body, content_type="application/json"), 400)


def test_a_breakdown_is_a_problem_without_details(api, settings, seven):
    api.raise_request_exception = False
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "tests.storage.BrokenStorage"}}
    answer = send(api, seven)
    assert "it was logged" in problem(answer, 500)["detail"]
    assert b"in the storage" not in answer.content
    assert Upload.objects.count() == 0


def test_a_full_disk_is_told(api, settings, seven):
    api.raise_request_exception = False
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "tests.storage.FullStorage"}}
    answer = send(api, seven)
    assert "disk of this site is full" in problem(answer, 507)["detail"]
    assert answer["Retry-After"] == "300"
    assert Upload.objects.count() == 0


def test_who_asks_too_often_is_told_when_to_come_again(api, ann, settings):
    settings.API_RATE = (3, 3600)
    answers = [api.get(UPLOADS) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3]["Retry-After"]) <= 3600
    problem(answers[3], 429)
    problem(program(ann).get(UPLOADS), 429)  # another token of the same account
    assert program(get_user_model().objects.create_user("ben")).get(UPLOADS).status_code == 200
