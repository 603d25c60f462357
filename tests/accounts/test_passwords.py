"""Passwords: which are taken, and how they are kept."""

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from digits.accounts.passwords import WORDS
from webapp import settings as of_the_site

pytestmark = pytest.mark.django_db


def sign_up(client, password: str, **fields):
    both = {"password1": password, "password2": password}
    return client.post("/accounts/signup/", {"username": "ada", **both, **fields})


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("qwertyz", "too short"),
        ("iloveyou", "too common"),
        ("lovelace-1", "too similar to the username"),
        ("Digits2026!", "words of this site"),
        ("admin-mnist-9", "words of this site"),
    ],
)
def test_a_password_that_others_would_try_is_refused(client, password, reason):
    answer = sign_up(client, password, username="lovelace")
    assert answer.status_code == 400
    assert reason in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password", ["correct horse battery", "ключ под ковриком", "ninety digits", "x" * 30 + "Y" * 98]
)
def test_any_signs_and_any_length_are_taken_exactly_as_they_are(client, password):
    assert sign_up(client, password).status_code == 302
    ada = User.objects.get()
    assert ada.check_password(password)
    for other in (password.upper(), password.lower(), password[:-1], password + " "):
        assert other == password or not ada.check_password(other)


def test_a_password_with_spaces_around_it_is_taken_by_each_form(client):
    sign_up(client, " a long password ")
    old = {"old_password": " a long password "}
    new = {"new_password1": " another one! ", "new_password2": " another one! "}
    assert client.post("/account/password/", old | new).status_code == 302
    assert client.post("/account/confirm/", {"password": "another one!"}).status_code == 400
    assert client.post("/account/confirm/", {"password": " another one! "}).status_code == 302
    assert client.post("/account/delete/", {"password": "another one!"}).status_code == 400
    assert client.post("/account/delete/", {"password": " another one! "}).status_code == 302
    assert not User.objects.exists()


def test_no_word_of_the_site_is_a_password():
    for word in WORDS:
        with pytest.raises(ValidationError, match="words of this site"):
            validate_password(f"{word}-{word}-1")


def test_a_password_field_hides_what_is_typed_and_lets_managers_fill_it(client):
    for path in ("/accounts/signup/", "/accounts/login/"):
        page = client.get(path).content.decode()
        assert 'type="password"' in page
        assert "onpaste" not in page
        assert 'autocomplete="off"' not in page


def test_passwords_are_kept_by_a_slow_hash_that_is_not_weakened():
    assert not hasattr(of_the_site, "PASSWORD_HASHERS")  # Django's own, renewed with each release
    assert PBKDF2PasswordHasher.iterations >= 600_000  # OWASP's sheet on storing passwords
