"""Idempotency-Key: what is sent twice is made once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from digits.accounts import idempotency, tokens
from digits.accounts.owners import Owner
from digits.models import IdempotencyKey, Upload
from tests.api.clients import problem, send
from tests.factories import make_upload
from tests.storage import stored_files

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_a_key_sent_twice_makes_one_upload(api, seven):
    key = {"Idempotency-Key": "a key"}
    first, second = (send(api, seven, headers=key) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert (first.status_code, second.status_code) == (202, 202)
    assert Upload.objects.count() == 1
    assert send(api, seven, headers={"Idempotency-Key": "b key"}).status_code == 202
    assert Upload.objects.count() == 2


@pytest.mark.parametrize("change", ["data", "name"])
def test_a_key_sent_with_something_else_is_refused(api, seven, mnist, change):
    key = {"Idempotency-Key": "a key"}
    send(api, seven, headers=key)
    other = {"data": seven[:-1] + b"x", "name": "digit.png"}
    if change == "name":
        other = {"data": seven, "name": "other.png"}
    assert "with something else" in problem(send(api, **other, headers=key), 422)["detail"]
    assert Upload.objects.count() == 1


def test_keys_of_two_senders_are_two(api, staff, seven):
    key = {"Idempotency-Key": "a key"}
    assert send(api, seven, headers=key)["Location"] != send(staff, seven, headers=key)["Location"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(api, seven, key):
    body = problem(send(api, seven, headers={"Idempotency-Key": key}), 400)
    assert body["errors"][0]["field"] == "Idempotency-Key"


def test_a_key_is_forgotten_after_a_day(api, seven):
    key = {"Idempotency-Key": "a key"}
    send(api, seven, headers=key)
    made = IdempotencyKey.objects.get()
    IdempotencyKey.objects.update(created_at=made.created_at - timedelta(hours=25))
    send(api, seven, headers=key)
    assert Upload.objects.count() == 2
    IdempotencyKey.objects.update(created_at=made.created_at - timedelta(hours=25))
    idempotency.sweep()
    assert IdempotencyKey.objects.count() == 0


def test_an_upload_that_could_not_be_stored_leaves_its_key_free(api, settings, seven):
    api.raise_request_exception = False
    key = {"Idempotency-Key": "a key"}
    storages = settings.STORAGES
    settings.STORAGES = storages | {"default": {"BACKEND": "tests.storage.FullStorage"}}
    problem(send(api, seven, headers=key), 507)
    settings.STORAGES = storages
    assert send(api, seven, headers=key).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_key_sent_at_the_same_time_makes_one_upload(ann, seven):
    secret = tokens.make(ann, "a test")[1]

    def at_once(_):
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "a key"}
        try:
            return send(APIClient(), seven, headers=headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(at_once, range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer["Location"] for answer in answers}) == 1
    assert Upload.objects.count() == IdempotencyKey.objects.count() == 1
    assert len(stored_files()) == 1  # no file of a loser is left


class Slow:
    """What takes a while to prepare; it stores an upload."""

    def __init__(self, entered: threading.Event, go_on: threading.Event):
        entered.set()
        assert go_on.wait(20)
        self.upload = make_upload()  # stands for what its store() commits

    def store(self):
        return self.upload

    def discard(self):
        self.upload.delete()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_a_request_with_a_key_is_prepared(ann):
    entered, go_on = threading.Event(), threading.Event()
    owner = Owner(ann, {})

    def first():
        try:
            return idempotency.once(owner, "a key", "x", "upload", lambda: Slow(entered, go_on))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(first)
        assert entered.wait(20)
        started = time.monotonic()
        other = make_upload()
        assert time.monotonic() - started < 1
        go_on.set()
        assert made.result().pk != other.pk
    assert IdempotencyKey.objects.get().upload == made.result()


def test_a_key_in_use_is_refused_until_its_request_is_over_or_stale(api, ann, seven, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
    key = {"Idempotency-Key": "a key"}
    sent = idempotency.fingerprint("upload", [b"digit.png", seven])
    row = idempotency._reserved(Owner(ann, {}), "a key", sent)
    assert "not over yet" in problem(send(api, seven, headers=key), 409)["detail"]
    IdempotencyKey.objects.update(created_at=row.created_at - idempotency.STALE * 1.1)
    assert send(api, seven, headers=key).status_code == 202


def test_whoever_lost_a_stale_key_stores_nothing(ann):
    owner, gone, there = Owner(ann, {}), threading.Event(), threading.Event()
    there.set()

    def slow_and_lost():
        IdempotencyKey.objects.update(created_at=timezone.now() - idempotency.STALE * 2)
        idempotency.once(owner, "a key", "x", "upload", lambda: Slow(gone, there))
        return Slow(gone, there)

    with pytest.raises(idempotency.InProgress):
        idempotency.once(owner, "a key", "x", "upload", slow_and_lost)
    assert Upload.objects.count() == 1


def test_nobody_has_no_keys():
    with pytest.raises(ValueError, match="nobody"):
        idempotency.once(Owner(None, None, "10.0.0.1"), "a key", "x", "upload", Slow)
