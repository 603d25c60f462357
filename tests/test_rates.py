"""Rate limits of the site: forms, new accounts, wrong passwords."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from digits import rates

pytestmark = pytest.mark.django_db
PASSWORD = "a long pass phrase"


@pytest.fixture(autouse=True)
def empty(redis):
    """Counters are kept in Redis, which is empty."""


def sign_up(name: str, address: str = "198.51.100.7"):
    data = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return Client(REMOTE_ADDR=address).post("/accounts/signup/", data)


def sign_in(name: str, password: str = PASSWORD, address: str = "198.51.100.7"):
    data = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/accounts/login/", data)


def test_one_address_makes_so_many_accounts_an_hour(settings):
    settings.SIGN_UP_RATE = (2, 3600)
    assert [sign_up(name).status_code for name in ("ann", "bob", "cem")] == [302, 302, 429]
    assert sign_up("dee", "198.51.100.8").status_code == 302
    assert set(User.objects.values_list("username", flat=True)) == {"ann", "bob", "dee"}


def test_one_password_is_not_tried_over_many_names(settings):
    settings.WRONG_PASSWORD_RATE = (5, 3600)
    User.objects.create_user("ann", password=PASSWORD)
    for number in range(5):
        assert sign_in(f"name{number}", "123456").status_code == 200
    refused = sign_in("ann")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert "Too many requests" in refused.content.decode()
    assert sign_in("ann", address="198.51.100.8").status_code == 302


def test_changing_the_address_within_a_network_does_not_help(settings):
    settings.WRONG_PASSWORD_RATE = (5, 3600)
    for number in range(5):
        sign_in(f"name{number}", "123456", address=f"2001:db8::{number + 1}")
    assert sign_in("ann", address="2001:db8::ffff").status_code == 429


def test_right_passwords_do_not_count(settings):
    settings.WRONG_PASSWORD_RATE = (2, 3600)
    User.objects.create_user("ann", password=PASSWORD)
    assert [sign_in("ann").status_code for _ in range(4)] == [302] * 4


def test_the_admins_sign_in_is_limited_too(settings):
    settings.WRONG_PASSWORD_RATE = (1, 3600)
    sign_in("ann", "123456")
    data = {"username": "ann", "password": PASSWORD}
    answer = Client(REMOTE_ADDR="198.51.100.7").post("/admin/login/", data)
    assert answer.status_code == 429


def test_forms_are_limited_and_pages_are_not(settings, client):
    settings.FORM_RATE = (2, 60)
    statuses = [client.post("/examples/", {"example": "none"}).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    assert client.get("/").status_code == 200
    answer = client.post("/examples/", {"example": "none"}, headers={"HX-Request": "true"})
    assert answer.status_code == 429


def test_without_redis_each_process_counts(settings, redis_down):
    settings.FORM_RATE = (2, 60)
    assert [bool(rates.FORMS.count("u1")) for _ in range(3)] == [False, False, True]
    assert not rates.FORMS.count("u2")


def test_looking_does_not_count(settings):
    settings.WRONG_PASSWORD_RATE = (1, 60)
    assert [rates.WRONG_PASSWORDS.look("x") for _ in range(3)] == [0, 0, 0]
    rates.WRONG_PASSWORDS.count("x")
    assert rates.WRONG_PASSWORDS.look("x") > 0
