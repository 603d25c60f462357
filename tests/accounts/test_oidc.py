"""Signing in by another server: new people get an account, and nobody gets somebody else's."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from digits.accounts import second_factor
from digits.models import AuditEvent, Upload
from digits.models.audit import Act
from tests import oidc
from tests.codes import Telephone
from tests.factories import make_upload
from webapp import values

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-password"
BEGIN, BACK = "/accounts/login/by", "/accounts/login/back/"


@pytest.fixture(autouse=True)
def empty(redis):
    """Counters are kept in Redis, which is empty."""


@pytest.fixture
def provider(settings):
    with oidc.running() as provider:
        settings.OIDC_ISSUER = provider.url
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = oidc.CLIENT, oidc.SECRET
        settings.OIDC_NAME = "Navy"
        yield provider


def begin(client, **fields) -> str:
    """Press the button; return the address that the page leads to."""
    page = client.post(BEGIN, fields)
    assert page.status_code == 200
    url = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())[1]
    return url.replace("&amp;", "&")


def back(url: str) -> str:
    """Go to the server; return the path on this site that it sends the browser to."""
    leads_to = requests.get(url, allow_redirects=False, timeout=10).headers["Location"]
    assert leads_to.startswith(f"http://testserver{BACK}?")
    return leads_to.removeprefix("http://testserver")


def sign_in(client, **fields):
    return client.get(back(begin(client, **fields)))


def who(client) -> str:
    page = client.get("/account/")
    found = re.search(r"Signed in as</dt><dd>([^<\s]+)", page.content.decode())
    return found[1] if page.status_code == 200 and found else ""


def test_without_the_settings_there_is_nothing_of_it(client):
    assert "Sign in with" not in client.get("/accounts/login/").content.decode()
    assert client.post(BEGIN).status_code == 404
    assert client.get(BACK).status_code == 404


def test_somebody_new_gets_an_account(provider, client):
    page = client.get("/accounts/login/?next=/uploads/").content.decode()
    assert "Sign in with Navy" in page
    answer = sign_in(client, next="/uploads/")
    assert answer.url == "/uploads/"
    user = User.objects.get()
    assert (user.username, user.email, user.is_staff) == ("grace", "", False)
    assert not user.has_usable_password()
    assert who(client) == "grace"


def test_who_comes_again_has_the_same_account(provider, client):
    sign_in(client)
    provider.person["preferred_username"] = "hopper"
    other = Client()
    sign_in(other)
    assert who(other) == "grace"
    assert User.objects.count() == 1


def test_it_asks_for_no_more_than_it_needs_and_keeps_nothing(provider, client):
    query = parse_qs(urlsplit(begin(client)).query)
    assert sorted(query["scope"][0].split()) == ["openid", "profile"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["nonce"][0]) >= 40
    sign_in(client)
    account = SocialAccount.objects.get()
    assert account.extra_data == {}
    assert (SocialToken.objects.count(), EmailAddress.objects.count()) == (0, 0)
    assert "/keys" in " ".join(provider.asked)  # the signature was checked


def test_the_button_takes_no_other_wishes(provider, client):
    page = client.post(f"{BEGIN}?process=connect&scope=admin&auth_params=prompt%3Dnone", {})
    url = re.search(r'url=([^"]+)"', page.content.decode())[1].replace("&amp;", "&")
    assert "admin" not in url
    assert "prompt" not in url
    assert client.get(BEGIN).status_code == 405


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "javascript:x"])
def test_it_leads_nowhere_else(provider, client, wanted):
    assert sign_in(client, next=wanted).url == "/"


def test_uploads_of_the_browser_come_along(provider, client):
    session = client.session
    session["visitor"] = "v" * 32
    session.save()
    make_upload(visitor="v" * 32)
    sign_in(client)
    assert Upload.objects.get().user.username == "grace"


def test_it_is_listed_and_recorded_as_other_sign_ins(provider):
    client = Client(REMOTE_ADDR="192.0.2.77")
    sign_in(client)
    event = AuditEvent.objects.get(act=Act.SIGNED_IN)
    assert (event.name, event.address, event.detail) == ("grace", "192.0.2.77", "by Navy")
    assert AuditEvent.objects.get(act=Act.ACCOUNT_MADE).about.endswith(" grace")
    assert "from 192.0.2.0/24" in client.get("/account/").content.decode()
    before = client.session.session_key
    assert client.post("/accounts/logout/").status_code == 302
    assert not who(client)
    assert client.session.session_key != before
    assert AuditEvent.objects.filter(act=Act.SIGNED_OUT, name="grace").count() == 1


# Nobody gets somebody else's account


@pytest.mark.parametrize("name", ["grace", "GRACE"])
def test_an_account_of_the_same_name_or_mail_is_not_taken_over(provider, client, name):
    local = User.objects.create_user(name, "grace@navy.example", PASSWORD)
    EmailAddress.objects.create(user=local, email=local.email, verified=True, primary=True)
    provider.person |= {"email": local.email, "email_verified": True}
    provider.claims |= {"email": local.email, "email_verified": True}
    sign_in(client)
    assert who(client).lower().startswith("grace")
    assert who(client).lower() != "grace"
    assert SocialAccount.objects.get().user != local
    local.refresh_from_db()
    assert local.check_password(PASSWORD)


@pytest.mark.parametrize("name", [None, "", "a b/ö<script>", "x" * 400, 7])
def test_whatever_name_somebody_has_there_an_account_is_made(provider, client, name):
    provider.person["preferred_username"] = name
    sign_in(client)
    user = User.objects.get()
    user.full_clean(exclude=["password"])
    assert who(client)


def test_with_sign_up_off_only_those_come_who_have_an_account(provider, client, settings):
    sign_in(client)
    settings.SIGN_UP = False
    assert sign_in(Client()).url == "/"
    provider.person["sub"] = "person-2"
    other = Client()
    answer = sign_in(other)
    assert answer.url == "/accounts/login/"
    assert "You have no account here." in other.get(answer.url).content.decode()
    assert User.objects.count() == 1


def test_a_closed_account_stays_closed(provider, client):
    sign_in(client)
    User.objects.update(is_active=False)
    other = Client()
    answer = sign_in(other)
    assert "This account is closed." in other.get(answer.url).content.decode()
    assert not who(other)


def test_people_of_another_server_are_others(provider, client, settings):
    sign_in(client)
    with oidc.running() as second:
        settings.OIDC_ISSUER = second.url
        other = Client()
        sign_in(other)
        assert who(other) not in ("", "grace")


# Answers that are not right


def refused(provider, client, text="You were not signed in by Navy.") -> bool:
    """Whether a sign-in ends at the form for it, which says so."""
    answer = sign_in(client)
    page = client.get("/accounts/login/").content.decode()
    return answer.url == "/accounts/login/" and text in page and not User.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another client"},
        {"exp": int(time.time()) - 3600},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": "person-2"},
    ],
    ids=lambda claims: " ".join(claims),
)
def test_a_token_for_something_else_is_refused(provider, client, claims):
    provider.claims = claims
    assert refused(provider, client)


def test_a_token_with_another_signature_is_refused(provider, client):
    provider.signs_with = oidc.new_key()
    assert refused(provider, client)


@pytest.mark.parametrize(("algorithm", "key"), [("none", None), ("HS256", "x" * 32)])
def test_a_token_without_a_signature_of_the_server_is_refused(provider, client, algorithm, key):
    provider.algorithm, provider.signs_with = algorithm, key
    assert refused(provider, client)


def test_no_token_is_refused(provider, client):
    provider.has_id_token = False
    assert refused(provider, client)


def test_an_answer_about_somebody_else_is_refused(provider, client):
    provider.told = {"sub": "person-2"}
    assert refused(provider, client)


def test_who_declines_there_is_not_signed_in(provider, client):
    provider.refuses = "access_denied"
    assert refused(provider, client)


def test_a_code_counts_once_and_for_the_browser_that_began(provider, client):
    path = back(begin(client))
    stranger = Client()
    assert stranger.get(path).url == "/accounts/login/"
    assert not who(stranger)
    assert client.get(path).url == "/"
    client.post("/accounts/logout/")
    assert client.get(path).url == "/accounts/login/"
    assert not who(client)


def test_a_page_of_another_site_begins_no_sign_in(provider):
    assert Client(enforce_csrf_checks=True).post(BEGIN).status_code == 403


def test_another_issuer_than_the_configured_one_is_refused(provider, client):
    provider.discovered = {"issuer": "https://login.example"}
    assert client.post(BEGIN).url == "/accounts/login/"
    assert "Navy does not answer." in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("name", ["token_endpoint", "userinfo_endpoint", "jwks_uri"])
def test_nothing_is_sent_where_others_can_listen(provider, client, name):
    provider.discovered = {name: "http://login.example/x"}
    assert client.post(BEGIN).url == "/accounts/login/"


def test_it_follows_the_server_nowhere_else(provider, client):
    """What answers with a redirect is not asked there: /authorize is one."""
    provider.discovered = {"userinfo_endpoint": f"{provider.url}/authorize?client_id=x"}
    assert sign_in(client).url == "/accounts/login/"
    assert not User.objects.exists()


def test_a_server_that_is_away_is_said_to_be(provider, client, settings):
    url = back(begin(client))
    provider.shutdown()
    provider.server_close()
    assert client.post(BEGIN).url == "/accounts/login/"
    assert "Navy does not answer." in client.get("/accounts/login/").content.decode()
    assert client.get(url).url == "/accounts/login/"


@pytest.mark.parametrize("discovered", [{"issuer": None}, {"token_endpoint": 7}, {"jwks_uri": ""}])
def test_nonsense_is_refused(provider, client, discovered):
    provider.discovered = discovered
    assert client.post(BEGIN).url == "/accounts/login/"


# With the rest of the site


def test_a_second_factor_is_asked_for_here_too(provider, client):
    """Who has no password sets one up with a new sign-in; it is asked for after the server."""
    sign_in(client)
    telephone = Telephone(client.get("/account/second-factor/on/").content.decode())
    client.post("/account/second-factor/on/", {"code": telephone.code(-30)})
    assert second_factor.is_on(User.objects.get())
    other = Client()
    answer = sign_in(other, next="/uploads/")
    assert answer.url == "/accounts/login/code/"
    assert not who(other)
    assert other.post(answer.url, {"code": telephone.code()}).url == "/uploads/"
    assert who(other) == "grace"
    assert AuditEvent.objects.filter(act=Act.SIGNED_IN, detail="by Navy with a code").exists()


def test_whoever_finds_an_open_browser_sets_nothing_up(provider, client, monkeypatch):
    sign_in(client)
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 1000)
    for path in ("/account/second-factor/on/", "/account/delete/"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "sign in once more" in answer.content.decode()


def test_an_account_without_a_password_is_renamed_signs_out_elsewhere_and_is_deleted(
    provider, client
):
    sign_in(client)
    other = Client()
    sign_in(other)
    page = client.get("/account/").content.decode()
    assert "Change the password" not in page
    assert client.post("/account/", {"username": "amazing"}).status_code == 302
    assert client.post("/account/sign-out").status_code == 302
    assert who(client) == "amazing"
    assert not who(other)
    assert client.post("/account/delete/", {}).status_code == 302
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


def test_the_admins_form_leads_to_it(provider, client):
    page = client.get("/admin/login/?next=/admin/digits/upload/").content.decode()
    assert "Sign in with Navy" in page
    assert 'href="/accounts/login/?next=/admin/digits/upload/"' in page


def test_on_a_site_for_accounts_alone_it_is_reached(provider, client, settings):
    settings.ANONYMOUS = False
    assert sign_in(client).url == "/"
    assert who(client) == "grace"


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("https://login.example/realms/x", True),
        ("http://127.0.0.1:9000", True),
        ("", True),
        ("http://login.example", False),
        ("login.example", False),
        ("ftp://login.example", False),
        ("https://[", False),
    ],
)
def test_the_issuer_is_asked_by_https(monkeypatch, text, is_taken):
    monkeypatch.setenv("X_ISSUER", text)
    if is_taken:
        assert values.issuer("X_ISSUER") == text
    else:
        with pytest.raises(ImproperlyConfigured, match="expected X_ISSUER to be an address"):
            values.issuer("X_ISSUER")
