"""The page of an account's tokens."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from digits.accounts import tokens
from digits.models import Token, Upload
from digits.models.api import Scope
from tests.api.clients import UPLOADS, problem, program, send
from tests.factories import make_reading, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
PAGE = "/account/tokens/"
NEW = "a-longer-password"
GIVEN = {"name": "my notebook", "scopes": ["read", "write"], "days": "365"}


@pytest.fixture
def browser(ann):
    client = Client()
    client.force_login(ann)
    return client


def test_a_token_is_made_shown_once_and_works(browser, ann):
    answer = browser.post(PAGE, GIVEN)
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
    answer = browser.post(PAGE, GIVEN | {"name": " "})
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
    tokens.sweep()
    first = Token.objects.get().last_used_at
    assert timezone.now() - first < tokens.USED_EVERY
    tokens.find(secret)
    tokens.sweep()
    assert Token.objects.get().last_used_at == first  # it is noted once a minute
    assert "last used" in browser.get(PAGE).content.decode()


def test_finding_a_token_writes_nothing_into_the_database(ann, django_assert_num_queries):
    secret = tokens.make(ann, "x")[1]
    with django_assert_num_queries(1) as queries:
        assert tokens.find(secret)
    assert queries[0]["sql"].startswith("SELECT")


def test_what_two_processes_noted_of_a_token_is_stored_once_a_minute(
    ann, redis, django_assert_num_queries
):
    token, secret = tokens.make(ann, "x")
    tokens.find(secret)
    tokens.sweep()
    first = Token.objects.get().last_used_at
    redis.hset(tokens.USED, token.pk, first.timestamp() + 30)
    tokens.sweep()
    assert Token.objects.get().last_used_at == first
    redis.hset(tokens.USED, token.pk, first.timestamp() + 61)
    tokens.sweep()
    assert Token.objects.get().last_used_at - first == timedelta(seconds=61)
    with django_assert_num_queries(0):
        tokens.sweep()


def test_a_token_works_without_redis(ann, redis_down):
    secret = tokens.make(ann, "x")[1]
    assert tokens.find(secret)
    tokens.sweep()
    assert Token.objects.get().last_used_at is None


def test_a_process_remembers_the_use_of_no_more_tokens_than_it_may(ann, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_NOTED", 3)
    for number in range(5):
        tokens.find(tokens.make(ann, f"{number}")[1])
    assert len(tokens._noted) <= 3
    tokens.sweep()
    assert Token.objects.filter(last_used_at=None).count() == 0


@pytest.mark.parametrize(
    ("days", "expires"), [("30", 30), ("90", 90), ("365", 365), ("0", None), ("12", "refused")]
)
def test_a_token_expires_when_one_chose(browser, days, expires):
    answer = browser.post(PAGE, GIVEN | {"days": days})
    if expires == "refused":
        assert answer.status_code == 400
        return
    token = Token.objects.get()
    left = token.expires_at and token.expires_at - timezone.now()
    assert left is None if expires is None else 0 <= expires * 86400 - left.total_seconds() < 60
    page = browser.get(PAGE).content.decode()
    assert ("never expires" if expires is None else "expires") in page


def test_an_expired_token_is_refused_and_said_to_be_expired(browser, ann):
    client = program(ann)
    assert client.get(UPLOADS).status_code == 200
    Token.objects.update(expires_at=timezone.now())
    assert "has not expired" in problem(client.get(UPLOADS), 401)["detail"]
    assert "expired</strong>" in browser.get(PAGE).content.decode()


@pytest.mark.parametrize("changes", [{"scopes": []}, {"scopes": ["nonsense"]}])
def test_a_token_needs_a_scope_that_there_is(browser, changes):
    assert browser.post(PAGE, GIVEN | changes).status_code == 400
    assert Token.objects.count() == 0


def test_only_who_has_a_role_is_offered_to_let_programs_use_it(browser, ann):
    assert 'value="manage"' not in browser.get(PAGE).content.decode()
    assert browser.post(PAGE, GIVEN | {"scopes": ["manage"]}).status_code == 400
    ann.is_staff = True
    ann.save()
    assert 'value="manage"' in browser.get(PAGE).content.decode()
    assert browser.post(PAGE, GIVEN | {"scopes": ["manage"]}).status_code == 201


def test_the_page_says_in_words_what_a_token_allows(browser):
    page = browser.post(PAGE, GIVEN).content.decode()
    assert "It may see what you see; send images and bulk jobs" in page
    assert "correct digits." not in page


def test_a_token_without_a_scope_is_told_which_one_it_lacks(ann, seven):
    client = program(ann, "read")
    assert client.get(UPLOADS).status_code == 200
    answer = send(client, seven)
    body = problem(answer, 403)
    assert body["missing_scope"] == "write"
    assert "lacks the scope write, which allows to send images" in body["detail"]
    assert answer["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="write"'
    assert problem(program(ann, "write").get(UPLOADS), 403)["missing_scope"] == "read"


def test_a_token_may_no_more_than_its_account(ann):
    body = problem(program(ann, *Scope).post("/api/v1/training-runs/", {}, format="json"), 403)
    assert body["detail"] == "This needs the permission to start and cancel trainings."
    assert "missing_scope" not in body


def test_a_role_is_used_by_tokens_with_that_scope_alone(version):
    ben, theirs = make_user("ben", "operator"), make_reading(version, visitor="somebody")
    place = f"{UPLOADS}{theirs.pk}/"
    body = problem(program(ben, "read", "write").delete(place), 403)
    assert body["missing_scope"] == "manage"
    assert program(ben, "read", "write", "manage").delete(place).status_code == 204


def test_a_program_that_may_not_send_is_told_so_in_a_line(ann, seven):
    secret = tokens.make(ann, "x", ["read"])[1]
    bearer = {"Authorization": f"Bearer {secret}"}
    file = SimpleUploadedFile("7.png", seven)
    answer = Client().post("/mnist/classify", {"file": file}, headers=bearer)
    assert answer.status_code == 403
    assert answer.content.startswith(b"This token lacks the scope write")
    assert Upload.objects.count() == 0


def test_all_tokens_of_an_account_end_with_one_click_and_nobody_elses(browser, ann):
    client, other = program(ann), program(get_user_model().objects.create_user("ben"))
    program(ann)
    page = browser.post(f"{PAGE}revoke", follow=True).content.decode()
    assert "2 tokens are revoked." in page
    assert client.get(UPLOADS).status_code == 401
    assert other.get(UPLOADS).status_code == 200


@pytest.mark.parametrize("asked", [False, True])
def test_tokens_end_with_a_password_if_one_asks_for_it(browser, ann, asked):
    client = program(ann)
    new = {"old_password": "a-long-password", "new_password1": NEW, "new_password2": NEW}
    sent = new | ({"end_tokens": "on"} if asked else {})
    page = browser.post("/account/password/", sent, follow=True).content.decode()
    assert "Your password is changed." in page
    assert ("1 token is revoked." in page) == asked
    assert client.get(UPLOADS).status_code == (401 if asked else 200)
