"""What each response says to the browser that gets it."""

import pytest
from django.contrib.auth.models import User

from digits.connections import REFUSED
from digits.middleware import CONTENT_SECURITY_POLICY
from tests.factories import make_upload
from tests.test_asgi import CLASSIFY, answer, piece
from webapp.asgi import ROOM_FOR_FORM

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
PATHS = [
    "/",
    "/nothing/",
    "/uploads/",
    "/uploads.csv",
    "/examples/seven.png",
    "/favicon.ico",
    "/account/",
    "/accounts/login/",
    "/health/live",
    "/health/ready",
    "/api/v1/models/",
    "/api/v1/uploads/",
    "/api/schema/",
    "/api/docs/",
    "/admin/login/",
    CLASSIFY,
]
ELSEWHERE = {"Origin": "https://evil.example"}


@pytest.mark.parametrize("path", PATHS)
def test_every_response_has_the_headers_that_guard_it(client, path):
    response = client.get(path, headers=ELSEWHERE)
    policy = response["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "object-src 'none'", "base-uri 'none'"} <= set(policy)
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "Cache-Control" in response


@pytest.mark.parametrize("path", PATHS)
def test_no_response_lets_another_site_read_it(client, path):
    response = client.get(path, headers=ELSEWHERE)
    assert [name for name in response.headers if name.lower().startswith("access-control-")] == []


@pytest.mark.parametrize("path", PATHS)
def test_the_type_of_a_text_names_its_characters(client, path):
    kind = client.get(path).headers["Content-Type"]
    assert kind.endswith("charset=utf-8") if kind.startswith("text/") else "/" in kind


@pytest.mark.parametrize("path", PATHS)
def test_a_request_is_not_sent_back_to_whoever_sent_it(client, path):
    response = client.trace(path, headers={"X-Secret": "of a proxy"})
    assert response.status_code in (302, 401, 404, 405)
    assert b"of a proxy" not in b"".join(response)


@pytest.mark.parametrize("path", ["/static/", "/static/digits/", "/media/", "/.git/config"])
def test_no_folder_is_listed(client, path):
    assert client.get(path).status_code == 404


def test_what_is_refused_before_django_sees_it_is_guarded_too():
    headers = {"content-length": str(ROOM_FOR_FORM + 1)}
    status, headers, _ = answer(piece(), path="/health/live", headers=headers)
    assert status == 413
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    refused = REFUSED % (408, b"Request Timeout", 0, b"")
    assert b"frame-ancestors 'none'\r\n" in refused
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in refused


@pytest.mark.parametrize("path", ["/", "/uploads/", "/account/", "/api/v1/uploads/"])
def test_no_cache_keeps_what_an_account_sees(client, path):
    client.force_login(User.objects.create_user("ada"))
    assert "no-store" in client.get(path)["Cache-Control"]


def test_signing_out_clears_what_the_browser_kept(client):
    client.force_login(User.objects.create_user("ada"))
    assert client.post("/accounts/logout/")["Clear-Site-Data"] == '"cache", "storage"'
    client.force_login(User.objects.create_superuser("root"))
    assert client.post("/admin/logout/")["Clear-Site-Data"] == '"cache", "storage"'
    assert "Clear-Site-Data" not in client.get("/")


def test_a_file_name_ends_no_header(client):
    ada = User.objects.create_user("ada")
    client.force_login(ada)
    name = 'a"; x=1\r\nSet-Cookie: evil=1.png'
    upload = make_upload(user=ada, name=name)
    told = client.get(f"{upload.get_absolute_url()}file").headers
    assert "Set-Cookie" not in told
    assert not {"\r", "\n"} & set(told["Content-Disposition"])
    assert told["Content-Disposition"].startswith("attachment; filename")
