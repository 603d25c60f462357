"""The pages of the model versions. What a worker does of it: tests/versions/test_activations.py."""

import base64
import re

import numpy as np
import pytest
from django.contrib.auth import get_user_model

from digits.formats import exactly
from digits.models import Activation, ModelVersion
from digits.versions import activations
from digits.views import versions
from tests.factories import claimed_activation, make_reading, make_user

pytestmark = pytest.mark.django_db

REPORT = {
    "active_version": 1,
    "sets": {
        "mnist": {
            "images": 10000,
            "accuracy": 0.9981,
            "loss": 0.0107,
            "active": {"accuracy": 0.997, "loss": 0.0121},
        },
        "corrections": {"images": 0},
    },
    "confusion": (np.eye(11, dtype=int) * 980 + np.eye(11, k=1, dtype=int)).tolist(),
    "per_digit": [0.99, 0.98] + [1.0] * 8,
    "disagreements": [
        {
            "truth": 7,
            "read": 1,
            "confidence": 0.9,
            "active_read": 7,
            "pixels": base64.b64encode(np.eye(28, dtype=np.uint8).tobytes()).decode(),
        }
    ],
}


@pytest.fixture
def first():
    return ModelVersion.active()


@pytest.fixture
def second(first):
    return make_version(2, parent=first, note="of training run 1")


def make_version(number: int, **fields) -> ModelVersion:
    return ModelVersion.objects.create(
        number=number,
        architecture="cnn",
        file=f"models/{number}.keras",
        sha256=f"{number:064}",
        **fields,
    )


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_superuser("ann")
    client.force_login(user)
    return user


def page(client, url: str = "/models/", **headers) -> str:
    answer = client.get(url, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def button(version) -> str:
    return f'action="/models/{version.pk}/activate"'


def test_anybody_sees_the_versions_and_what_they_did_but_no_button(client, first, second):
    make_reading(first, digits=3)
    text = page(client)
    assert text.index("Version 2") < text.index("Version 1")
    assert text.count('class="badge good">active') == 1
    assert exactly(first.mnist_accuracy) in text
    assert "<dd>3</dd>" in text
    assert "of training run 1" in text
    assert "<button>" not in text


def test_staff_has_a_button_on_each_inactive_version(client, staff, first, second):
    text = page(client)
    assert button(second) in text
    assert button(first) not in text
    assert button(second) in page(client, second.get_absolute_url())


@pytest.mark.parametrize("signed_in", [True, False])
def test_others_cannot_activate(client, second, signed_in):
    if signed_in:
        client.force_login(get_user_model().objects.create_user("bob"))
    assert client.post(f"/models/{second.pk}/activate").status_code == 403
    assert Activation.objects.count() == 0


def test_activating_takes_a_post(client, staff, second):
    assert client.get(f"/models/{second.pk}/activate").status_code == 405
    assert client.post("/models/99/activate").status_code == 404
    assert Activation.objects.count() == 0


def test_one_click_asks_for_the_version_and_says_so(client, staff, redis, second):
    answer = client.post(f"/models/{second.pk}/activate", follow=True)
    activation = Activation.objects.get()
    assert (activation.version, activation.requested_by) == (second, staff)
    text = answer.content.decode()
    assert "The activation of version 2 was requested." in text
    assert "Version 2 waits for a worker to load and try it; version 1 reads until then." in text
    assert f'hx-get="/models/?page=1&amp;seen={activation.pk}-1"' in text


def test_the_page_is_sent_anew_only_when_something_changed(client, second):
    activations.request(second)
    seen = f"/models/?seen={activations.progress().state}"
    assert client.get(seen, headers={"HX-Request": "true"}).status_code == 204
    activations.complete(activations.claim())
    part = page(client, seen, **{"HX-Request": "true"})
    assert "<html" not in part
    assert "Version 2 was activated" in part
    assert "hx-get" not in part
    assert '<div id="versions" hx-swap-oob="true">' in part


def test_a_refusal_is_shown_with_its_reason(client, second):
    activations.refuse(claimed_activation(second), "the model file 2.keras is missing")
    text = page(client)
    assert (
        "Version 2 was refused: the model file 2.keras is missing. Version 1 stays active." in text
    )
    assert "the model file 2.keras is missing" in page(client, second.get_absolute_url())


def test_one_click_rolls_back_to_the_version_before(client, staff, redis, first, second):
    assert "Roll back" not in page(client)
    activations.complete(claimed_activation(second))
    text = page(client)
    assert "<button>Roll back to version 1</button>" in text
    client.post(f"/models/{first.pk}/activate")
    assert Activation.objects.first().version == first


def test_a_version_shows_its_facts(client, first, second):
    text = page(client, first.get_absolute_url())
    minutes = f"{first.metrics['training_seconds'] / 60:.0f} min"
    for fact in ("274,787", "1.8\xa0MB", "3.15.1", minutes, first.sha256):
        assert f"<dd>{fact}</dd>" in text
    assert "<dt>Seed</dt><dd>1</dd>" in text
    assert f'<a href="{second.get_absolute_url()}">version 2</a>' in text
    assert f'<a href="{first.get_absolute_url()}">version 1</a>' in page(
        client, second.get_absolute_url()
    )
    clothes = exactly(first.metrics["evaluation"]["fashion-mnist"]["accuracy"])
    assert f'<th scope="row">fashion-mnist</th><td>10,000</td><td>{clothes}</td>' in text


def test_what_was_not_measured_is_left_out(client, second):
    text = page(client, second.get_absolute_url())
    for part in ("Comparison", "Confusion matrix", "by digit", "disagreements", "Collections"):
        assert part not in text
    assert "not measured" in page(client)


def test_a_report_stands_beside_the_version_that_was_active(client, first):
    data = {"counts": {"mnist": 60000, "corrections": 180}, "sha256": "a" * 64}
    second = make_version(2, metrics={"report": REPORT, "data": data})
    text = page(client, second.get_absolute_url())
    assert "Comparison with version 1, which was active then" in text
    assert (
        "<td><strong>99.81 %</strong></td><td>99.70 %</td><td>+0.11</td>"
        "<td>0.0107</td><td>0.0121</td><td>10,000</td>"
    ) in text
    assert "corrections held out" not in text
    assert "<dt>Data: corrections</dt><dd>180</dd>" in text
    assert "99.81 %" in page(client)


def test_a_report_beside_no_version_compares_with_none(client):
    alone = {"images": 10000, "accuracy": 0.9981, "loss": 0.0107}
    rows = [row | {"active_read": None} for row in REPORT["disagreements"]]
    report = REPORT | {"sets": {"mnist": alone}, "disagreements": rows}
    second = make_version(2, metrics={"report": report})
    text = page(client, second.get_absolute_url())
    assert "A digit labelled 7, read as 1" in text
    assert "Comparison" not in text
    assert "version before" not in text


def test_the_confusion_matrix_is_shaded_by_the_share_of_its_row(client):
    second = make_version(2, metrics={"report": REPORT})
    text = page(client, second.get_absolute_url())
    assert text.count('<td class="right-5">980</td>') == 11
    assert text.count('<td class="wrong-1">1</td>') == 10
    assert text.count("<td></td>") == 121 - 21 + 1


def test_images_it_disagrees_with_are_in_the_page(client):
    second = make_version(2, metrics={"report": REPORT})
    text = page(client, second.get_absolute_url())
    assert 'src="data:image/png;base64,' in text
    assert "A digit labelled 7, read as 1" in text
    assert "version 1: 7" in text


def test_only_reviewers_and_trainers_see_the_digits_that_people_sent(client):
    (row,) = REPORT["disagreements"]
    report = REPORT | {"disagreements": [row | {"set": "corrections"}]}
    second = make_version(2, metrics={"report": report})
    assert "data:image/png" not in page(client, second.get_absolute_url())
    client.force_login(make_user("ann", "trainer"))
    assert "data:image/png" in page(client, second.get_absolute_url())


@pytest.mark.parametrize("count", [1, 15])
def test_the_list_takes_as_many_queries_for_many_versions(
    client, staff, count, django_assert_max_num_queries
):
    for number in range(2, 2 + count):
        make_reading(make_version(number))
    with django_assert_max_num_queries(14):
        page(client)


def test_an_unknown_version_is_not_found(client):
    assert client.get("/models/99/").status_code == 404


def compared(client, query: str = "") -> str:
    return page(client, f"/models/compare{query}")


def test_one_version_alone_is_not_compared(client, first):
    assert "There is 1 version so far" in compared(client)


def test_two_versions_stand_side_by_side_with_the_difference_in_points(client, first):
    first.metrics.pop("report")
    first.save()
    make_version(2, metrics={"report": REPORT}, note="of training run 1")
    text = compared(client, "?a=1&b=2")
    more = f"+{99.81 - round(100 * first.mnist_accuracy, 2):.2f}"
    row = (
        f"<td>{exactly(first.mnist_accuracy)}</td><td><strong>99.81 %</strong></td><td>{more}</td>"
    )
    assert f'<th scope="row">MNIST&#x27;s test set</th>{row}' in text
    assert '<th scope="row">0</th><td>-</td><td>99.00 %</td><td></td>' in text
    assert '<th scope="row">Keras</th><td>3.15.1</td>' in text


def test_the_active_version_is_compared_with_the_newest_other(client, first, second):
    assert "<title>Versions 2 and 1 " in compared(client)


@pytest.mark.parametrize("query", ["?a=99", "?b=x", "?a="])
def test_an_unknown_version_is_not_compared(client, second, query):
    assert client.get(f"/models/compare{query}").status_code == 404


def test_what_two_versions_read_differently_is_shown_to_its_owner(client, first, second):
    user = get_user_model().objects.create_user("bob")
    for value, other in ((7, 7), (7, 1), (None, 3), (None, None)):
        digit = make_reading(first, value, user=user).digits.get()
        digit.predictions.create(
            version=second, value=other, confidence=0.5, probabilities=[0.05] * 10
        )
    assert "They have not read any of the same digits" in compared(client)
    client.force_login(user)
    text = compared(client, "?a=1&b=2")
    assert (
        "Both versions have read 4 of the digits that you can see, and differ on <strong>2" in text
    )
    assert "7 or <strong>1</strong>" in text
    assert "not a digit or <strong>3</strong>" in text


def test_accuracy_over_time_is_drawn_from_two_versions_on(client, first):
    assert "<circle" not in page(client)
    for number in (2, 3):
        make_version(number, metrics={"report": REPORT})
    text = page(client)
    assert text.count("<circle") == 3
    label = f"version 1 {exactly(first.mnist_accuracy)}, version 2 99.81 %, version 3 99.81 %"
    assert label in text
    assert "Corrections held out</strong>" not in text


def test_predictions_are_counted_no_further_than_they_must(client, monkeypatch):
    first, second = ModelVersion.active(), ModelVersion.objects.create(number=2, architecture="cnn")
    make_reading(first, digits=3)
    make_reading(second, digits=2)
    found = r"<dt>Predictions</dt><dd>([^<]*)</dd>"
    assert re.findall(found, client.get("/models/").content.decode()) == ["2", "3"]
    monkeypatch.setattr(versions, "COUNTED", 2)
    assert re.findall(found, client.get("/models/").content.decode()) == ["2", "more than 2"]
