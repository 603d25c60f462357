"""Digits of the API: reviewed and corrected."""

import pytest

from digits.models import Correction, Digit
from tests.api.clients import DIGITS, UPLOADS, problem
from tests.factories import make_reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


def test_a_digit_is_corrected_confirmed_and_withdrawn(api, ann, version):
    digit = make_reading(version, user=ann).digits.get()

    def send(**sent):
        answer = api.patch(f"{DIGITS}{digit.pk}/", sent, format="json")
        assert answer.status_code == 200
        return answer.json()["label"]

    assert [send(label=1), send(confirm=True), send(label=10), send(label=None)] == [1, 7, 10, None]
    assert [one.label for one in Correction.objects.order_by("id")] == [1, 7, 10, None]
    assert {one.user for one in Correction.objects.all()} == {ann}
    send(label=1)
    body = api.get(f"{UPLOADS}{digit.upload_id}/").json()
    assert (body["reading"], body["corrected_reading"], body["verdict"]) == ("7", "1", "corrected")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"label": 11},
        {"label": -1},
        {"label": "x"},
        {"label": [1]},
        {"label": {}},
        {"confirm": False},
        {"confirm": "maybe"},
        {"label": 1, "confirm": True},
    ],
)
def test_an_invalid_correction_is_refused(api, ann, version, sent):
    digit = make_reading(version, user=ann).digits.get()
    assert problem(api.patch(f"{DIGITS}{digit.pk}/", sent, format="json"), 400)["errors"]
    assert Correction.objects.count() == 0


def test_the_review_is_the_least_sure_first_by_cursor(api, ann, version):
    shares = [0.5, 0.99, 0.3, 0.7, 0.3]
    digits = [make_reading(version, user=ann).digits.get() for _ in shares]
    for digit, share in zip(digits, shares, strict=True):
        digit.predictions.update(confidence=share)
    first = api.get(f"{DIGITS}?review=1&page_size=2").json()
    second = api.get(first["next"]).json()
    found = [row["id"] for row in first["results"] + second["results"]]
    assert found == [digits[index].pk for index in (2, 4, 0, 3)]
    api.patch(f"{DIGITS}{digits[2].pk}/", {"confirm": True}, format="json")
    assert digits[2].pk not in [
        row["id"] for row in api.get(f"{DIGITS}?review=1").json()["results"]
    ]
    assert len(api.get(DIGITS).json()["results"]) == Digit.objects.count() == 5
