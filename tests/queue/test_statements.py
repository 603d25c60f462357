"""Statements made by hand store and find the same as those of the ORM.

tests/system/test_postgres.py runs this file on PostgreSQL, too.
"""

import math
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from digits.models import Digit, ModelVersion, Prediction, Upload
from digits.models.uploads import Status
from digits.queue import statements
from digits.queue.statements import Insert, Update, select
from tests.factories import make_reading, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def version():
    return ModelVersion.active()


@pytest.fixture
def account():
    return get_user_model().objects.create_user("ada")


def values_of(rows) -> list[dict]:
    """The values of all fields but the key, as they are stored."""
    model = type(rows[0])
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    stored = model.objects.in_bulk([row.pk for row in rows])
    assert len(stored) == len(rows)
    return [{name: _comparable(getattr(stored[row.pk], name)) for name in names} for row in rows]


def _comparable(value):
    return bytes(value) if isinstance(value, memoryview) else value


def uploads(account, version) -> list[Upload]:
    now = timezone.now()
    return [
        Upload(name="plain.png"),
        Upload(name="of an account", user=account, file="small/7.png", source="api", turn=7),
        Upload(
            visitor="a" * 32,
            name="read; 'quoted' \"twice\" 100 % %s \u2713",
            status=Status.DONE,
            reading="12 3",
            confidence=0.1 + 0.2,
            version=version,
            width=28,
            height=0,
            created_at=now - timedelta(days=400),
            started_at=now,
            finished_at=now + timedelta(microseconds=1),
            preview="previews/1.webp",
            error_detail="line\nline",
        ),
        Upload(status=Status.RUNNING, attempts=3, lease=uuid.uuid4(), lease_expires_at=now),
    ]


def digits(upload, count: int) -> list[Digit]:
    return [
        Digit(
            upload=upload,
            position=position,
            line=position // 2,
            x=position,
            y=2**31 - 1,
            width=20,
            height=20,
            pixels=bytes([position % 256]) * 784,
            label=position % 11 if position % 2 else None,
            labelled_at=timezone.now() if position % 2 else None,
        )
        for position in range(count)
    ]


def predictions(digits, version) -> list[Prediction]:
    return [
        Prediction(
            digit=digit,
            version=version,
            value=place or None,
            confidence=math.pi / 4,
            probabilities=[0.1] * 10 if place else [],
            to_review=bool(place),
        )
        for place, digit in enumerate(digits)
    ]


def stored_both_ways(rows, others) -> tuple[list[dict], list[dict]]:
    """What Insert stores of rows, and what bulk_create does of others, with the same times."""
    for row, other in zip(rows, others, strict=True):
        for field in row._meta.concrete_fields:
            if not field.is_relation:
                setattr(other, field.attname, getattr(row, field.attname))
    Insert(rows).store()
    type(rows[0]).objects.bulk_create(others)
    return values_of(rows), values_of(others)


def test_uploads_are_stored_as_bulk_create_stores_them(account, version):
    ours, theirs = stored_both_ways(uploads(account, version), uploads(account, version))
    assert ours == theirs


def test_digits_are_stored_as_bulk_create_stores_them():
    ours, theirs = stored_both_ways(digits(make_upload(), 5), digits(make_upload(), 5))
    assert [row.pop("upload_id") for row in ours] != [row.pop("upload_id") for row in theirs]
    assert ours == theirs


def test_predictions_are_stored_as_bulk_create_stores_them(version):
    both = [digits(make_upload(), 3) for _ in range(2)]
    for rows in both:
        Insert(rows).store()
    ours, theirs = stored_both_ways(*(predictions(rows, version) for rows in both))
    assert [row.pop("digit_id") for row in ours] != [row.pop("digit_id") for row in theirs]
    assert ours == theirs


def test_stored_rows_have_their_keys_and_may_be_saved_again():
    rows = [Upload(name=str(number)) for number in range(3)]
    Insert(rows).store()
    for row in rows:
        row.reading = row.name
        row.save()
    assert [Upload.objects.get(reading=row.name).pk for row in rows] == [row.pk for row in rows]
    assert Upload.objects.count() == 3


def test_more_rows_than_fit_one_statement_are_stored(monkeypatch, django_assert_num_queries):
    fields = len(Upload._meta.concrete_fields) - 1
    monkeypatch.setattr(statements, "MOST_PARAMETERS", 4 * fields + 1)
    rows = [Upload(name=str(number)) for number in range(10)]
    with django_assert_num_queries(3):
        Insert(rows).store()
    assert [row["name"] for row in values_of(rows)] == [str(number) for number in range(10)]


def test_as_many_values_as_are_allowed_fit_one_statement():
    count = 2 * statements.MOST_PARAMETERS // (len(Digit._meta.concrete_fields) - 1) + 1
    rows = digits(make_upload(), count)
    Insert(rows).store()
    assert [row["position"] for row in values_of(rows[-3:])] == [count - 3, count - 2, count - 1]
    assert Digit.objects.count() == count


def test_late_fields_have_the_values_of_when_they_are_stored(account):
    rows = [Upload(name="a", turn=1), Upload(name="b", turn=1)]
    insert = Insert(rows, late=["turn", "file", "user"])
    for number, row in enumerate(rows):
        row.name, row.turn, row.user = "later", 7 + number, account
        row.file.name = f"small/{number}.png"
    insert.store()
    stored = values_of(rows)
    assert [row["name"] for row in stored] == ["a", "b"]
    assert [row["turn"] for row in stored] == [7, 8]
    assert [row["file"] for row in stored] == ["small/0.png", "small/1.png"]
    assert {row["user_id"] for row in stored} == {account.pk}


def test_no_rows_are_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        Insert([]).store()
        Insert([], late=["turn"]).store()
        assert select(Upload, ["id"], "id", []) == []


def test_if_one_row_is_refused_none_is_stored():
    rows = [Upload(name="good"), Upload(name="bad", source=None)]
    with pytest.raises(IntegrityError), transaction.atomic():
        Insert(rows).store()
    assert Upload.objects.count() == 0


def test_each_row_gets_its_own_values():
    rows = [make_upload(name=f"{number}.png") for number in range(5)]
    changes = {
        row.pk: {"status": Status.DONE, "reading": str(number), "confidence": number / 3}
        for number, row in enumerate(rows)
    }
    Update(Upload, changes).store([row.pk for row in rows[:4]])
    for number, row in enumerate(rows[:4]):
        row.refresh_from_db()
        assert (row.status, row.reading, row.confidence) == ("done", str(number), number / 3)
        assert row.name == f"{number}.png"
    rows[4].refresh_from_db()
    assert (rows[4].status, rows[4].reading) == ("queued", "")


def test_a_foreign_key_may_be_a_row_a_key_or_nothing(version, account):
    rows = [make_upload(user=account, version=version) for _ in range(3)]
    versions, users = (version, version.pk, None), (account.pk, None, account)
    changes = {
        row.pk: {"version": one, "user": user}
        for row, one, user in zip(rows, versions, users, strict=True)
    }
    Update(Upload, changes).store(list(changes))
    stored = values_of(rows)
    assert [row["version_id"] for row in stored] == [version.pk, version.pk, None]
    assert [row["user_id"] for row in stored] == [account.pk, None, account.pk]


def test_update_writes_the_same_as_the_orm(version):
    now, lease = timezone.now(), uuid.uuid4()
    changes = {
        "lease": lease,
        "lease_expires_at": now,
        "finished_at": None,
        "preview": "previews/1.webp",
        "width": 5,
    }
    ours, theirs = make_upload(finished_at=now), make_upload(finished_at=now)
    Update(Upload, {ours.pk: changes}).store([ours.pk])
    Upload.objects.filter(pk=theirs.pk).update(**changes)
    (own,), (other,) = values_of([ours]), values_of([theirs])
    assert {name: own[name] for name in changes} == {name: other[name] for name in changes}


def test_json_is_updated_as_json(version):
    prediction = make_reading(version).digits.get().predictions.get()
    new = {"probabilities": [1, 0.5, 'a "quoted" word'], "value": None}
    Update(Prediction, {prediction.pk: new}).store([prediction.pk])
    prediction.refresh_from_db()
    assert (prediction.probabilities, prediction.value) == (new["probabilities"], None)


def test_nothing_is_updated_where_nothing_changes():
    make_upload()
    Update(Upload, {}).store([])
    assert Upload.objects.get().reading == ""


def test_select_finds_many_rows():
    rows = [Upload(name=str(number)) for number in range(3000)]
    Insert(rows).store()
    keys = [row.pk for row in rows[::2]]
    found = select(
        Upload, ["id", "name"], "id", [*keys, Upload.objects.aggregate(m=Max("pk"))["m"] + 1]
    )
    assert sorted(found) == [(row.pk, row.name) for row in rows[::2]]


def test_select_finds_by_any_field_and_takes_what_follows():
    lease = uuid.uuid4()
    rows = [make_upload(name=str(number), lease=lease) for number in range(3)]
    make_upload(lease=uuid.uuid4())
    quote = connection.ops.quote_name
    found = select(Upload, ["name"], "lease", [lease], f" ORDER BY {quote('id')} DESC")
    assert found == [(row.name,) for row in reversed(rows)]


def test_select_finds_by_a_foreign_key(account):
    own = make_upload(user=account)
    make_upload()
    assert select(Upload, ["id", "user"], "user", [account]) == [(own.pk, account.pk)]
