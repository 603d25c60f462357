"""The page of an account's tokens."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from digits.accounts import tokens
from digits.models import Token
from tests.api.clients import UPLOADS, program

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
PAGE = "/account/tokens/"


@pytest.fixture
def browser(ann):
    client = Client()
    client.force_login(ann)
    return client


def test_a_token_is_made_shown_once_and_works(browser, ann):
    answer = browser.post(PAGE, {"name": "my notebook"})
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    (secret,) = set(re.findall(r"digits_[\w-]{43}", answer.content.decode()))
    bearer = {"Authorization": f"Bearer {secret}"}
    assert APIClient(headers=bearer).get(UPLOADS).status_code == 200
    page = browser.get(PAGE).content.decode()
    assert secret not in page
    assert secret[:11] in page
    assert "my notebook" in page


def test_only_the_sha256_of_a_secret_is_stored(ann):
    token, secret = tokens.make(ann, "x")
    stored = [str(value) for value in Token.objects.values_list().get()]
    assert not any(secret[len(token.start) :] in value for value in stored)
    assert tokens.find(secret) == token
    assert tokens.find(secret + "x") is None


def test_a_revoked_token_is_refused(browser, ann):
    client = program(ann)
    assert client.get(UPLOADS).status_code == 200
    page = browser.post(f"{PAGE}{Token.objects.get().pk}/revoke", follow=True).content.decode()
    assert "The token a test is revoked." in page
    assert client.get(UPLOADS).status_code == 401


def test_nobody_revokes_or_sees_anothers_token(browser):
    token, _ = tokens.make(get_user_model().objects.create_user("ben"), "a secret plan")
    assert "a secret plan" not in browser.get(PAGE).content.decode()
    assert browser.post(f"{PAGE}{token.pk}/revoke").status_code == 404
    assert Token.objects.count() == 1


def test_a_token_needs_a_name(browser):
    answer = browser.post(PAGE, {"name": " "})
    assert answer.status_code == 400
    assert "Enter what it is for" in answer.content.decode()
    assert Token.objects.count() == 0


def test_tokens_are_for_accounts():
    assert Client().get(PAGE).url.startswith("/accounts/login/")
    assert Client().post(PAGE, {"name": "x"}).status_code == 302


def test_the_page_tells_when_a_token_was_used(browser, ann):
    secret = tokens.make(ann, "x")[1]
    assert "never used" in browser.get(PAGE).content.decode()
    tokens.find(secret)
    first = Token.objects.get().last_used_at
    assert timezone.now() - first < tokens.USED_EVERY
    tokens.find(secret)
    assert Token.objects.get().last_used_at == first  # it is noted once a minute
    assert "last used" in browser.get(PAGE).content.decode()
