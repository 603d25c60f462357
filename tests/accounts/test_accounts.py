"""Accounts: made, looked after, deleted; and a site that is for accounts only."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from digits.accounts import tokens
from digits.models import Batch, ModelVersion, Upload
from digits.views import accounts as views
from tests.factories import make_reading, make_upload

pytestmark = pytest.mark.django_db
User = get_user_model()
PASSWORD = "a-long-password"
NEW = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def ada(client):
    user = User.objects.create_user("ada", password=PASSWORD)
    client.force_login(user)
    return user


def sign_in(client, name="ada", password=PASSWORD, **fields):
    return client.post("/accounts/login/", {"username": name, "password": password, **fields})


def test_what_a_session_drew_before_signing_up_comes_along(client, redis, seven):
    url = client.post("/", {"file": SimpleUploadedFile("before.png", seven)}).url
    page = client.post("/accounts/signup/", NEW, follow=True).content.decode()
    assert "Welcome, ada." in page
    assert "1 upload was moved to your account." in page
    assert Upload.objects.get().user.username == "ada"
    assert client.get(url).status_code == 200
    client.post("/accounts/logout/")
    assert client.get(url).status_code == 404


def test_batches_of_the_session_come_along_too(client):
    session = client.session
    session["visitor"] = "b" * 32
    session.save()
    batch = Batch.objects.create(visitor="b" * 32, kind=Batch.Kind.CSV, total=1)
    client.post("/accounts/signup/", NEW)
    batch.refresh_from_db()
    assert (batch.user.username, batch.visitor) == ("ada", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password2": "another-one"}, "two password fields"),
        ({"password1": "123", "password2": "123"}, "too short"),
        ({"username": "TAKEN"}, "already exists"),
        ({"username": "a b"}, "valid username"),
        ({"username": ""}, "required"),
    ],
)
def test_an_invalid_sign_up_shows_why(client, changes, reason):
    User.objects.create_user("taken")
    answer = client.post("/accounts/signup/", NEW | changes)
    assert answer.status_code == 400
    assert reason in answer.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("wanted", "leads"),
    [("/uploads/", "/uploads/"), ("https://evil.example/", "/"), ("//evil.example", "/")],
)
def test_signing_up_leads_where_one_wanted_to_go_here(client, wanted, leads):
    assert client.post("/accounts/signup/", NEW | {"next": wanted}).url == leads


def test_signing_up_can_be_switched_off(client, settings):
    assert "/accounts/signup/" in client.get("/accounts/login/").content.decode()
    settings.SIGN_UP = False
    assert "/accounts/signup/" not in client.get("/accounts/login/").content.decode()
    assert client.get("/accounts/signup/").status_code == 404
    assert client.post("/accounts/signup/", NEW).status_code == 404
    assert User.objects.count() == 0


def test_whoever_has_an_account_needs_no_other(client, ada):
    assert client.get("/accounts/signup/").url == "/account/"


def test_the_account_page_says_whose_it_is_and_what_can_be_done(client, ada):
    make_upload(user=ada)
    page = client.get("/account/").content.decode()
    assert '<a href="/uploads/">1</a>' in page
    for path in ("/account/password/", "/account/tokens/", "/account/delete/"):
        assert f'href="{path}"' in page


def test_the_account_page_counts_no_further_than_it_must(client, ada, monkeypatch):
    for _ in range(3):
        make_upload(user=ada)
    assert '<a href="/uploads/">3</a>' in client.get("/account/").content.decode()
    monkeypatch.setattr(views, "COUNTED", 2)
    assert '<a href="/uploads/">more than 2</a>' in client.get("/account/").content.decode()


@pytest.mark.parametrize("path", ["/account/", "/account/password/", "/account/delete/"])
def test_an_account_page_asks_a_visitor_to_sign_in(client, path):
    assert client.get(path).url == f"/accounts/login/?next={path}"


def test_a_name_is_changed_unless_it_is_taken(client, ada):
    User.objects.create_user("eve")
    answer = client.post("/account/", {"username": "Eve", "password": PASSWORD})
    assert answer.status_code == 400
    assert "already exists" in answer.content.decode()
    assert "Signed in as</dt><dd>ada" in answer.content.decode()
    new = {"username": "lovelace", "password": PASSWORD}
    assert client.post("/account/", new).url == "/account/"
    ada.refresh_from_db()
    assert ada.username == "lovelace"


@pytest.mark.parametrize("password", ["", "x", PASSWORD.upper()])
def test_a_name_is_changed_by_whoever_knows_the_password(client, ada, password):
    answer = client.post("/account/", {"username": "lovelace", "password": password})
    assert answer.status_code == 400
    assert ("That is not your password." if password else "required") in answer.content.decode()
    ada.refresh_from_db()
    assert ada.username == "ada"


def test_an_account_without_a_password_changes_its_name_without_one(client, ada):
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)
    assert client.post("/account/", {"username": "lovelace"}).status_code == 302
    ada.refresh_from_db()
    assert ada.username == "lovelace"


def test_each_field_of_the_account_page_has_a_name_of_its_own(client, ada):
    names = re.findall(r' id="([^"]+)"', client.get("/account/").content.decode())
    assert len(names) == len(set(names))


def test_a_password_is_changed_and_other_sessions_end(client, ada):
    other = Client()
    other.force_login(ada)
    new = {"new_password1": "a-longer-password", "new_password2": "a-longer-password"}
    wrong = client.post("/account/password/", {"old_password": "x", **new})
    assert "incorrect" in wrong.content.decode()
    page = client.post("/account/password/", {"old_password": PASSWORD, **new}, follow=True)
    assert "Your password is changed." in page.content.decode()
    assert other.get("/account/").status_code == 302
    assert sign_in(Client(), password="a-longer-password").url == "/"


def test_an_admin_sets_a_new_password(client, ada):
    client.force_login(User.objects.create_superuser("root"))
    new = {
        "password1": "b-long-password",
        "password2": "b-long-password",
        "usable_password": "true",
    }
    assert client.post(f"/admin/auth/user/{ada.pk}/password/", new).status_code == 302
    assert sign_in(Client(), password="b-long-password").url == "/"


@pytest.mark.django_db(transaction=True)
def test_an_account_goes_with_its_uploads_and_files(client, ada, settings):
    upload = make_reading(ModelVersion.active(), user=ada)
    name = upload.file.name
    theirs = make_upload(visitor="somebody else")
    assert "its 1 upload and its tokens" in client.get("/account/delete/").content.decode()
    wrong = client.post("/account/delete/", {"password": "x"})
    assert "That is not your password." in wrong.content.decode()
    assert default_storage.exists(name)
    page = client.post("/account/delete/", {"password": PASSWORD}, follow=True).content.decode()
    assert "Your account and its uploads are deleted." in page
    assert "Sign in" in page
    assert list(Upload.objects.all()) == [theirs]
    assert not default_storage.exists(name)
    assert User.objects.count() == 0


def test_the_only_admin_cannot_go(client, ada):
    User.objects.filter(pk=ada.pk).update(is_superuser=True)
    page = client.post("/account/delete/", {"password": PASSWORD}, follow=True).content.decode()
    assert "You are the only admin" in page
    User.objects.create_superuser("root")
    client.post("/account/delete/", {"password": PASSWORD})
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


def test_whoever_guesses_a_password_is_stopped_and_nobody_else(client, settings):
    User.objects.create_user("ada", password=PASSWORD)
    User.objects.create_user("eve", password=PASSWORD)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        last = sign_in(client, password="a guess")
    assert last.status_code == 429
    assert "Too many attempts" in last.content.decode()
    assert sign_in(client).status_code == 429
    assert sign_in(Client(), name="eve").status_code == 302
    assert sign_in(Client(REMOTE_ADDR="10.0.0.9")).status_code == 302


@pytest.fixture
def closed(settings):
    settings.ANONYMOUS = False


@pytest.mark.parametrize(
    "path", ["/", "/uploads/", "/uploads.csv", "/review/", "/models/", "/examples/seven.png"]
)
def test_a_closed_site_asks_for_sign_in(client, closed, path):
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/accounts/login/?next={path}")


def test_a_closed_site_takes_no_file_of_a_stranger(client, closed, seven):
    answer = client.post("/", {"file": SimpleUploadedFile("x.png", seven)})
    assert answer.url == "/accounts/login/?next=/"
    assert Upload.objects.count() == 0


def test_a_fragment_of_a_closed_site_leads_to_sign_in(client, closed):
    answer = client.get("/uploads/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/accounts/login/"


@pytest.mark.parametrize("path", ["/health/live", "/accounts/login/", "/accounts/signup/"])
def test_a_closed_site_stays_open_for_health_and_for_signing_in(client, closed, path):
    assert client.get(path).status_code == 200


def test_a_closed_site_says_to_a_monitor_whether_it_is_ready(client, closed, redis):
    assert client.get("/health/ready").headers["Content-Type"] == "application/json"


def test_a_closed_site_is_open_to_accounts(client, closed, ada):
    assert client.get("/").status_code == 200
    assert client.get("/uploads/").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/uploads/", "/api/v1/models/"])
def test_a_closed_sites_api_asks_for_a_token(client, closed, path):
    assert Client().get(path).status_code == 401
    client.get("/accounts/login/")  # a session, but nobody's
    assert client.get(path).status_code in (401, 403)
    _, secret = tokens.make(User.objects.create_user("ada"), "mine")
    assert Client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def classify(seven, **options):
    return Client().post("/mnist/classify", {"file": SimpleUploadedFile("7.png", seven)}, **options)


def test_a_closed_site_asks_a_program_for_a_token(closed, seven):
    answer = classify(seven)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.content.startswith(b"Send the header Authorization: Bearer")
    assert Upload.objects.count() == 0


@pytest.mark.parametrize("anonymous", [True, False])
def test_a_program_with_a_token_sends_in_its_accounts_name(
    seven, redis, settings, anonymous, monkeypatch
):
    settings.ANONYMOUS = anonymous
    monkeypatch.setattr("digits.views.program.WAIT_SECONDS", 0)
    _, secret = tokens.make(User.objects.create_user("ada"), "mine")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert classify(seven, headers=bearer).status_code == 504
    assert Upload.objects.get().user.username == "ada"
    assert classify(seven, headers={"Authorization": "Bearer x"}).status_code == 401
