"""Who may use the API, and sees what."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from rest_framework.test import APIClient

from digits.models import Upload
from tests.api.clients import DIGITS, UPLOADS, problem, send
from tests.factories import make_reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_what_is_anothers_is_not_there(api, version):
    upload = make_reading(version, visitor="somebody else")
    digit = upload.digits.get()
    for path in (f"{UPLOADS}{upload.pk}/", f"{DIGITS}{digit.pk}/"):
        assert "not yours" in problem(api.get(path), 404)["detail"]
    problem(api.delete(f"{UPLOADS}{upload.pk}/"), 404)
    problem(api.patch(f"{DIGITS}{digit.pk}/", {"label": 3}, format="json"), 404)
    assert api.get(UPLOADS).json()["results"] == api.get(DIGITS).json()["results"] == []
    assert Upload.objects.count() == 1


def test_staff_see_all(staff, ann, version):
    upload = make_reading(version, user=ann)
    assert [row["id"] for row in staff.get(UPLOADS).json()["results"]] == [upload.pk]
    assert staff.get(f"{UPLOADS}{upload.pk}/").status_code == 200


def test_who_is_nobody_is_asked_to_sign_in(seven, version):
    upload = make_reading(version, visitor="somebody")
    nobody = APIClient()
    answers = [
        nobody.get(UPLOADS),
        send(nobody, seven),
        nobody.get(f"{UPLOADS}{upload.pk}/"),
        nobody.delete(f"{UPLOADS}{upload.pk}/"),
        nobody.get(DIGITS),
    ]
    for answer in answers:
        assert answer["WWW-Authenticate"] == "Bearer"
        problem(answer, 401)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic abc", "Bearer", "Bearer é"])
def test_a_token_that_is_none_is_refused_even_beside_a_session(ann, header):
    client = APIClient(headers={"Authorization": header})
    client.force_login(ann)
    assert "/account/tokens/" in problem(client.get(UPLOADS), 401)["detail"]


def test_a_token_of_an_account_that_is_closed_is_refused(api, ann):
    ann.is_active = False
    ann.save()
    problem(api.get(UPLOADS), 401)


def test_a_token_counts_more_than_a_cookie(api, ann, seven):
    api.force_login(get_user_model().objects.create_user("ben"))
    send(api, seven)
    assert Upload.objects.get().user == ann


def test_a_browser_session_uses_the_api_with_the_sites_csrf_token(ann, seven):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.get(UPLOADS).status_code == 200
    assert "CSRF" in problem(send(client, seven), 403)["detail"]
    client.get("/")
    token = {"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value}
    assert send(client, seven, headers=token).status_code == 202
    assert Upload.objects.get().user == ann


def test_a_visitor_sees_in_the_api_what_the_browser_session_sent(seven):
    client = APIClient(enforce_csrf_checks=True)
    client.get("/")
    token = {"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value}
    place = send(client, seven, headers=token)["Location"]
    assert client.get(place).status_code == 200
    assert len(client.get(UPLOADS).json()["results"]) == 1
    other = Client()
    other.get("/")
    problem(other.get(place), 404 if other.cookies else 401)
