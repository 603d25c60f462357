"""Sessions of accounts: how they begin and end."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db
FIELDS = {"username": "ada", "password": "a-long-password"}


@pytest.fixture
def ada():
    return User.objects.create_user(**FIELDS)


def signed_in(session: str = "") -> Client:
    client = Client()
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    assert client.post("/accounts/login/", FIELDS).status_code == 302
    return client


def key(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def is_signed_in(session: str) -> bool:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    return client.get("/account/").status_code == 200


def test_a_session_has_a_long_random_name_that_scripts_do_not_see(ada):
    first, second = signed_in(), signed_in()
    assert key(first) != key(second)
    assert re.fullmatch("[a-z0-9]{32}", key(first))  # 165 bits
    cookie = first.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert key(first) not in first.get("/account/").content.decode()


def test_signing_in_begins_a_new_session_and_ends_the_one_before(ada):
    before = key(signed_in())
    again = signed_in(before)
    assert key(again) != before
    assert is_signed_in(key(again))
    assert not is_signed_in(before)


def test_a_name_that_somebody_else_chose_is_not_taken_over(ada):
    chosen = "a" * 32
    assert key(signed_in(chosen)) != chosen
    assert not is_signed_in(chosen)


def test_a_session_that_was_signed_out_of_is_of_no_use(ada):
    client = signed_in()
    session = key(client)
    assert is_signed_in(session)
    client.post("/accounts/logout/")
    assert not is_signed_in(session)


@pytest.mark.parametrize("end", ["closed", "deleted", "new password"])
def test_the_sessions_of_an_account_end_with_it(ada, end):
    session = key(signed_in())
    if end == "closed":
        User.objects.update(is_active=False)
    elif end == "new password":  # as the admin sets one
        ada.set_password("another-long-one")
        ada.save()
    else:
        ada.delete()
    assert not is_signed_in(session)


def test_each_page_of_an_account_offers_to_sign_out(ada):
    client = signed_in()
    for path in ("/account/", "/account/password/", "/account/tokens/", "/account/delete/", "/"):
        assert 'action="/accounts/logout/"' in client.get(path).content.decode()


def test_a_link_does_not_sign_out(ada):
    client = signed_in()
    assert client.get("/accounts/logout/").status_code == 405
    assert is_signed_in(key(client))


def test_nobody_makes_itself_an_admin_with_a_field_that_no_form_has(client):
    rights = {"is_staff": "on", "is_superuser": "on", "is_active": "on", "groups": "1"}
    both = {"password1": FIELDS["password"], "password2": FIELDS["password"]}
    client.post("/accounts/signup/", {"username": "ada", **both, **rights})
    client.post("/account/", FIELDS | {"username": "eve", **rights})
    eve = User.objects.get()
    assert eve.username == "eve"
    assert [eve.is_staff, eve.is_superuser, eve.groups.exists()] == [False] * 3
