"""What people send is shown and stored as it is, and is never part of a page, a query or a line."""

import logging
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from digits.models import ModelVersion, Upload
from tests.factories import make_reading, make_upload
from webapp.logs import Line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
NAME = """<script>alert("x")</script>'{{ 7*7 }}.png"""
ESCAPED = "&lt;script&gt;alert(&quot;x&quot;)"


@pytest.fixture
def ada(client):
    user = User.objects.create_user("ada", password="a-long-password")
    client.force_login(user)
    return user


def test_a_file_name_is_no_part_of_a_page(client, ada):
    upload = make_reading(ModelVersion.active(), user=ada, name=NAME)
    for path in ("/uploads/", upload.get_absolute_url(), f"{upload.get_absolute_url()}delete"):
        page = client.get(path).content.decode()
        assert ESCAPED in page
        assert "<script>alert" not in page
    assert client.get(f"/api/v1/uploads/{upload.pk}/").json()["name"] == NAME


@pytest.mark.parametrize("words", ["' OR '1'='1", '7" OR 1=1 --', "7'; DROP TABLE x;--", "7%"])
def test_what_is_searched_for_is_no_part_of_a_query(client, ada, words):
    make_reading(ModelVersion.active(), user=ada, name="found.png")
    assert "found.png" in client.get("/uploads/", {"reading": "7"}).content.decode()
    page = client.get("/uploads/", {"reading": words})
    assert page.status_code in (200, 400)
    if page.status_code == 200:
        assert "found.png" not in page.content.decode()
    assert Upload.objects.count() == 1


def test_who_is_refused_is_in_the_log(client, ada, caplog):
    other = make_upload(visitor="somebody else")
    caplog.handler.setFormatter(Line("%(message)s"))
    with caplog.at_level(logging.WARNING, "django.request"):
        assert client.post("/models/1/activate").status_code == 403
        assert client.get(other.get_absolute_url()).status_code == 404
        Client(REMOTE_ADDR="192.0.2.7").get("/account/none")
    lines = [line for line in caplog.text.splitlines() if re.search(r"\d\)$", line)]
    assert lines == [
        f"Forbidden (Permission denied): /models/1/activate (POST, account {ada.pk}, 127.0.0.1)",
        f"Not Found: {other.get_absolute_url()} (GET, account {ada.pk}, 127.0.0.1)",
        "Not Found: /account/none (GET, no account, 192.0.2.7)",
    ]
