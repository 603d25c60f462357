"""Sign-ins: the list of them, signing out elsewhere, and sessions that were idle."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from digits.accounts import sign_ins, tokens
from digits.models import SignIn, Upload
from tests.api.clients import UPLOADS

pytestmark = pytest.mark.django_db
User = get_user_model()
PASSWORD = "a-long-password"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password=PASSWORD)


def signed_in(agent: str = FIREFOX, address: str = "192.0.2.77") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"User-Agent": agent})
    answer = client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_account_page_lists_where_one_is_signed_in(ada):
    first, second = signed_in(), signed_in(SAFARI, "2001:db8:1:2:3::4")
    page = first.get("/account/").content.decode()
    assert "Firefox on Linux" in page
    assert "from 192.0.2.0/24" in page
    assert "192.0.2.77" not in page
    assert "Mobile Safari on iOS" in page
    assert "from 2001:db8:1::/48" in page
    assert page.count("this one") == 1
    second.post("/accounts/logout/")
    page = first.get("/account/").content.decode()
    assert "Mobile Safari" not in page


def test_nobody_sees_anothers_sign_ins(ada):
    signed_in()
    other = Client()
    other.force_login(User.objects.create_user("ben"))
    assert "Firefox" not in other.get("/account/").content.decode()


@pytest.mark.parametrize(
    ("agent", "name"),
    [("", ""), ("nonsense", ""), ("x" * 100_000, ""), ("curl/8.5.0", "curl"), (FIREFOX * 9, None)],
)
def test_a_browser_may_say_anything_of_itself(agent, name):
    found = sign_ins.browser(agent)
    assert len(found) <= 100
    assert name is None or found == name


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.200", "203.0.113.0/24"),
        ("::1", "::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("unix", ""),
    ],
)
def test_addresses_are_shortened(address, network):
    assert sign_ins.shortened(address) == network


def test_signing_out_elsewhere_ends_all_other_sessions_and_no_token(ada):
    here, there = signed_in(), signed_in(SAFARI)
    _, secret = tokens.make(ada, "mine")
    page = here.post("/account/sign-out", {"password": PASSWORD}, follow=True).content.decode()
    assert "You are signed out everywhere but here." in page
    assert "Safari" not in page
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert signed_in()  # the password is the same
    answer = Client().get(UPLOADS, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_signing_out_elsewhere_ends_a_session_that_no_list_knows(ada):
    here, there = signed_in(), signed_in(SAFARI)
    session = there.session  # as one that began before the update
    del session[sign_ins.ROW], session[sign_ins.SEEN]
    session.save()
    SignIn.objects.filter(browser__contains="Safari").delete()
    here.post("/account/sign-out", {"password": PASSWORD})
    assert not is_signed_in(there)


def test_signing_out_elsewhere_asks_for_the_password(ada):
    here, there = signed_in(), signed_in(SAFARI)
    answer = here.post("/account/sign-out", {"password": "a guess"})
    assert answer.status_code == 400
    assert "That is not your password." in answer.content.decode()
    assert is_signed_in(there)
    assert here.get("/account/sign-out").status_code == 405
    assert Client().post("/account/sign-out").url.startswith("/accounts/login/")


def test_an_account_without_a_password_signs_out_elsewhere_without_one(ada):
    here, there = signed_in(), signed_in(SAFARI)
    ada.set_unusable_password()
    ada.save()
    for client in (here, there):
        client.force_login(ada)
    page = here.get("/account/").content.decode()
    assert 'name="password"' not in page
    assert here.post("/account/sign-out").status_code == 302
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_a_new_password_leaves_this_sign_in_alone_on_the_list(ada):
    here = signed_in()
    signed_in(SAFARI)
    new = {"new_password1": "a-longer-password", "new_password2": "a-longer-password"}
    here.post("/account/password/", {"old_password": PASSWORD, **new})
    page = here.get("/account/").content.decode()
    assert "Firefox" in page
    assert "Safari" not in page
    ada.refresh_from_db()
    ada.set_password("an admin sets it")
    ada.save()
    assert list(sign_ins.of(ada)) == []


def test_an_account_that_signs_in_here_after_another_has_its_own_row(ada):
    client = signed_in()
    User.objects.create_user("ben", password=PASSWORD)
    client.post("/accounts/login/", {"username": "ben", "password": PASSWORD})
    assert sorted(SignIn.objects.values_list("user__username", flat=True)) == ["ada", "ben"]


def test_a_sign_in_goes_with_its_account(ada):
    client = signed_in()
    client.post("/account/delete/", {"password": PASSWORD})
    assert User.objects.count() == SignIn.objects.count() == 0


def test_old_sign_ins_are_forgotten_at_the_next_one(ada, settings):
    signed_in()
    old = timezone.now() - timedelta(minutes=settings.SESSION_IDLE_MINUTES + 1)
    SignIn.objects.update(last_seen_at=old)
    assert list(sign_ins.of(ada)) == []
    signed_in()
    assert SignIn.objects.count() == 1


# When a session was seen


def wind_back(client: Client, seconds: float) -> None:
    """Have it be so much later for a session."""
    session = client.session
    session[sign_ins.SEEN] = time.time() - seconds
    session.save()


def test_the_use_of_a_session_is_noted_once_a_minute(ada):
    client = signed_in()
    SignIn.objects.update(last_seen_at=timezone.now() - timedelta(hours=1))
    old = SignIn.objects.get().last_seen_at
    client.get("/")
    assert SignIn.objects.get().last_seen_at == old
    wind_back(client, 61)
    client.get("/")
    assert timezone.now() - SignIn.objects.get().last_seen_at < timedelta(seconds=30)


def test_a_page_of_somebody_signed_in_takes_no_more_queries(ada, django_assert_num_queries):
    client = signed_in()
    with django_assert_num_queries(2):  # the session and the account
        client.get("/accounts/signup/")


def test_a_database_that_is_busy_fails_no_page(ada, monkeypatch, caplog):
    client = signed_in()
    wind_back(client, 61)

    def busy(*_):
        raise OperationalError("database is locked")

    monkeypatch.setattr(sign_ins, "_update", busy)
    assert client.get("/").status_code == 200
    assert "was not noted: database is locked" in caplog.text


def test_a_session_that_was_idle_ends(ada, settings):
    settings.SESSION_IDLE_MINUTES = 15
    client = signed_in()
    wind_back(client, 14 * 60)
    assert is_signed_in(client)
    wind_back(client, 15 * 60 + 1)
    answer = client.get("/account/", follow=True)
    assert "You were signed out, since you were away for long." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    assert SignIn.objects.count() == 0


def begun_before(client: Client, seconds: float) -> None:
    """Have somebody have signed in so long ago."""
    session = client.session
    session[sign_ins.BEGUN] = time.time() - seconds
    session.save()


def test_a_session_ends_after_some_days_however_much_it_is_used(ada, settings):
    settings.SESSION_DAYS = 30
    client = signed_in()
    begun_before(client, 30 * 86400 - 60)
    assert is_signed_in(client)
    begun_before(client, 30 * 86400 + 1)
    answer = client.get("/account/", follow=True)
    assert "You signed in long ago: sign in once more." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    assert is_signed_in(client)


def test_a_session_goes_on_for_ever_if_one_wants_that(ada, settings):
    settings.SESSION_DAYS = 0
    client = signed_in()
    begun_before(client, 300 * 86400)
    assert is_signed_in(client)


def test_a_session_of_before_has_the_days_from_now(ada):
    client = signed_in()
    session = client.session
    del session[sign_ins.BEGUN], session[sign_ins.SEEN]
    session.save()
    assert is_signed_in(client)
    assert time.time() - client.session[sign_ins.BEGUN] < 60


def test_an_idle_session_uses_the_api_no_more(ada, settings):
    settings.SESSION_IDLE_MINUTES = 15
    client = signed_in()
    upload = Upload.objects.create(user=ada)
    assert client.get(f"{UPLOADS}{upload.pk}/").status_code == 200
    wind_back(client, 15 * 60 + 1)
    assert client.get(f"{UPLOADS}{upload.pk}/").status_code in (401, 404)


def test_use_keeps_a_session_and_what_a_page_asks_by_itself_does_not(ada, settings):
    settings.SESSION_IDLE_MINUTES = 15
    client = signed_in()
    wind_back(client, 10 * 60)
    client.get("/uploads/", headers={"HX-Request": "true"})
    assert time.time() - client.session[sign_ins.SEEN] > 9 * 60
    client.get("/uploads/")
    assert time.time() - client.session[sign_ins.SEEN] < 60


def test_somebody_active_is_not_idle_where_that_is_a_minute(ada, settings):
    settings.SESSION_IDLE_MINUTES = 1
    client = signed_in()
    wind_back(client, 7)
    client.get("/")
    assert time.time() - client.session[sign_ins.SEEN] < 6


def test_sessions_never_end_for_being_idle_if_that_is_switched_off(ada, settings):
    settings.SESSION_IDLE_MINUTES = 0
    client = signed_in()
    wind_back(client, 300 * 86400)
    assert is_signed_in(client)


def test_a_session_from_before_the_update_goes_on_and_is_listed(ada):
    client = Client(headers={"User-Agent": FIREFOX})
    client.force_login(ada)
    session = client.session
    del session[sign_ins.ROW], session[sign_ins.SEEN]
    session.save()
    SignIn.objects.all().delete()
    assert is_signed_in(client)
    assert "Firefox on Linux" in client.get("/account/").content.decode()


def test_a_visitor_keeps_the_history_however_long_it_was_idle(settings, redis, seven):
    settings.SESSION_IDLE_MINUTES = 1
    client = Client()
    url = client.post("/", {"file": SimpleUploadedFile("7.png", seven)}).url
    wind_back(client, 300 * 86400)
    assert client.get(url).status_code == 200
    assert SignIn.objects.count() == 0


def test_a_token_beside_a_session_is_no_sign_in(ada):
    client, ben = Client(), User.objects.create_user("ben")
    client.get("/")
    _, secret = tokens.make(ben, "x")
    client.get(UPLOADS, headers={"Authorization": f"Bearer {secret}"})
    assert SignIn.objects.count() == 0
