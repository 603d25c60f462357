"""The review queue: unsure readings, the least sure first, one after the other."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from digits.accounts.owners import Owner
from digits.learning import review
from digits.learning.corrections import correct
from digits.models import Correction, Digit, ModelVersion, Prediction, uploads
from digits.models.corrections import NOT_A_DIGIT
from tests.factories import make_reading, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ann(client):
    user = get_user_model().objects.create_user("ann", password="x")
    client.force_login(user)
    return user


@pytest.fixture
def owner(ann):
    return Owner(ann, {})


@pytest.fixture
def second():
    return ModelVersion.objects.create(number=2, architecture="cnn")


def reading(user, confidence: float, **fields) -> Digit:
    """The digit of an upload of somebody, read with this confidence by version 1."""
    digit = make_reading(ModelVersion.objects.get(number=1), user=user, **fields).digits.get()
    Prediction.objects.filter(digit=digit).update(confidence=confidence)
    return digit


def read_by(version, digit, confidence: float, value: int = 1) -> Prediction:
    return digit.predictions.create(
        version=version, value=value, confidence=confidence, probabilities=[0.05] * 10
    )


def order(owner) -> list[Digit]:
    return [prediction.digit for prediction in review.unsure(owner)]


def shown(page) -> int:
    """The number of the digit that a page shows."""
    return int(re.search(r'id="digit-(\d+)"', page.content.decode())[1])


def send_label(client, digit, label, **options):
    prediction = digit.predictions.first()
    fields = {"digit": digit.pk, "shown": prediction.pk, "label": label}
    return client.post("/review/", fields, follow=True, **options)


def test_the_least_sure_comes_first_and_what_is_very_sure_never(owner, ann):
    middle, least, sure = reading(ann, 0.7), reading(ann, 0.4), reading(ann, 0.99)
    assert order(owner) == [least, middle]
    assert sure not in order(owner)


def test_what_is_labelled_is_reviewed_no_more_until_it_is_withdrawn(owner, ann):
    digit = reading(ann, 0.4)
    correct(digit, 4)
    assert order(owner) == []
    correct(digit, None)
    assert order(owner) == [digit]


def test_the_active_version_says_how_sure_it_is(owner, ann, second):
    first, other = reading(ann, 0.4), reading(ann, 0.5)
    read_by(second, first, 0.9)
    read_by(second, other, 0.99)
    assert order(owner) == [first, other]
    activate(second)
    assert order(owner) == [first]
    assert review.unsure(owner).get().confidence == 0.9


def test_without_a_prediction_of_the_active_version_the_newest_counts(owner, ann, second):
    third = ModelVersion.objects.create(number=3, architecture="cnn")
    old, older = reading(ann, 0.4), reading(ann, 0.45)
    read_by(second, old, 0.6)
    read_by(second, older, 0.99)
    activate(third)
    assert order(owner) == [old]
    ModelVersion.objects.update(is_active=False)
    assert order(owner) == [old]


def activate(version):
    ModelVersion.objects.update(is_active=False)
    ModelVersion.objects.filter(pk=version.pk).update(is_active=True)


@pytest.mark.parametrize("few", [0, 1000])
def test_people_review_their_own_and_staff_everything(owner, ann, few, monkeypatch):
    monkeypatch.setattr(uploads, "FEW", few)
    mine, theirs = reading(ann, 0.5), reading(None, 0.4, visitor="b" * 32)
    staff = make_user("staff", "reviewer")
    assert order(owner) == [mine]
    assert order(Owner(None, {"visitor": "b" * 32})) == [theirs]
    assert order(Owner(None, {})) == []
    assert order(Owner(staff, {})) == [theirs, mine]


def test_an_answer_leads_to_the_next_one(client, ann):
    least, next_one = reading(ann, 0.4), reading(ann, 0.5)
    page = client.get("/review/")
    assert shown(page) == least.pk
    assert "<strong>2</strong> left" in page.content.decode()
    page = send_label(client, least, "4")
    assert page.redirect_chain[0][1] == 302
    assert shown(page) == next_one.pk
    assert "<strong>1</strong> left" in page.content.decode()
    correction = Correction.objects.get()
    assert (correction.digit, correction.label, correction.user) == (least, 4, ann)


def test_htmx_gets_the_next_one_alone(client, ann):
    least, next_one = reading(ann, 0.4), reading(ann, 0.5)
    page = send_label(client, least, str(NOT_A_DIGIT), headers=HTMX)
    assert shown(page) == next_one.pk
    assert "<html" not in page.content.decode()
    assert page["Cache-Control"] == "no-store"


def test_what_is_skipped_comes_again_after_the_others(client, ann):
    least, middle, last = (reading(ann, confidence) for confidence in (0.4, 0.5, 0.5))
    page = client.get("/review/")
    for expected in (middle, last, least):
        skip = re.search(r'href="(/review/\?after=\d+)"', page.content.decode())[1]
        page = client.get(skip)
        assert shown(page) == expected.pk
    assert Correction.objects.count() == 0


def test_an_answer_does_not_bring_back_what_was_skipped(client, ann):
    reading(ann, 0.4)
    middle, last = reading(ann, 0.5), reading(ann, 0.6)
    assert shown(send_label(client, middle, "7")) == last.pk


def test_the_last_answer_can_be_taken_back(client, ann):
    least = reading(ann, 0.4)
    reading(ann, 0.5)
    page = send_label(client, least, "4").content.decode()
    assert "Last answer: <strong>4</strong>" in page
    page = client.post("/review/", {"digit": least.pk, "label": ""}, follow=True)
    assert shown(page) == least.pk
    least.refresh_from_db()
    assert least.label is None


def test_the_keys_are_named_on_the_buttons(client, ann):
    reading(ann, 0.4)
    page = client.get("/review/").content.decode()
    for keys in (*"012345689", "7 Enter", "n", "Enter", "s ArrowRight"):
        assert page.count(f'aria-keyshortcuts="{keys}"') == 1


def test_an_empty_queue_says_what_to_do(client):
    page = client.get("/review/").content.decode()
    assert "Nothing is left to review." in page
    assert "Read an image" in page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"label": "4"}, 404),
        ({"digit": "999", "label": "4"}, 404),
        ({"digit": "x", "label": "4"}, 400),
        ({"digit": "0x1", "label": "4"}, 400),
        ({"digit": "9" * 30, "label": "4"}, 400),
        ({"digit": "MINE", "label": "12"}, 400),
        ({"digit": "MINE"}, 400),
        ({"digit": "THEIRS", "label": "4"}, 404),
    ],
)
def test_what_is_no_answer_is_refused(client, ann, fields, status):
    digits = {"MINE": reading(ann, 0.4).pk, "THEIRS": reading(None, 0.4, visitor="b").pk}
    if fields.get("digit") in digits:
        fields = fields | {"digit": digits[fields["digit"]]}
    assert client.post("/review/", fields).status_code == status
    assert Correction.objects.count() == 0


@pytest.mark.parametrize("query", ["after=99999", "digit=99999", "said=99999", "after="])
def test_a_row_that_is_gone_is_no_trouble(client, ann, query):
    digit = reading(ann, 0.4)
    assert shown(client.get(f"/review/?{query}")) == digit.pk


def test_nobody_is_shown_what_is_not_theirs(client, ann):
    theirs = reading(None, 0.4, visitor="b" * 32)
    correct(theirs, 4)
    for query in ("digit", "said"):
        page = client.get(f"/review/?{query}={theirs.pk}").content.decode()
        assert "Nothing is left to review." in page
        assert "Last answer" not in page


def test_a_form_of_another_site_says_nothing(ann):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert send_label(strict, reading(ann, 0.4), "4").status_code == 403


@pytest.mark.parametrize("count", [2, 60])
def test_reviewing_takes_as_many_queries_for_many_readings(
    client, ann, count, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(review, "COUNTED", 50)
    digits = [reading(ann, 0.4 + number / 200) for number in range(count)]
    with django_assert_max_num_queries(10):
        page = client.get(f"/review/?after={digits[0].predictions.get().pk}")
    assert shown(page) == digits[1].pk
    assert ("More than" in page.content.decode()) == (count > 50)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL sorts what is so little")
def test_the_order_comes_from_an_index(ann):
    staff = Owner(make_user("staff", "reviewer"), {})
    plan = review.unsure(staff)[:1].explain()
    assert "prediction_to_review" in plan
    assert "TEMP B-TREE" not in plan


def test_the_surroundings_stay_in_the_picture(ann):
    digit = reading(ann, 0.4)
    assert review.surroundings(digit) == (0, 0, 28, 28)
    digit.upload.width, digit.upload.height, digit.x, digit.y = 1000, 800, 500, 780
    assert review.surroundings(digit) == (450, 730, 120, 70)
