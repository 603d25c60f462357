"""Inspection in Django's admin."""

import re

import pytest
from django.contrib.auth import get_user_model

from digits.admin import base
from digits.learning.corrections import correct
from digits.models import Activation, Correction, Digit, ModelVersion, Prediction
from digits.versions import activations
from tests.factories import claimed_activation, make_reading, make_upload, make_user

pytestmark = pytest.mark.django_db
LISTS = ["upload", "digit", "prediction", "correction", "modelversion", "activation"]


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return client


@pytest.fixture
def version():
    return ModelVersion.active()


@pytest.mark.parametrize("name", LISTS)
def test_lists_and_pages_open(admin, version, name):
    upload = make_reading(version)
    digit = upload.digits.get()
    rows = {
        "upload": upload,
        "digit": digit,
        "prediction": digit.predictions.get(),
        "correction": correct(digit, 4),
        "modelversion": version,
        "activation": activations.request(version),
    }
    row = rows[name]
    assert admin.get(f"/admin/digits/{name}/").status_code == 200
    assert admin.get(f"/admin/digits/{name}/?q=1").status_code == 200
    assert admin.get(f"/admin/digits/{name}/{row.pk}/change/").status_code == 200


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("count", [1, 20])
def test_lists_take_as_many_queries_for_many_rows(
    admin, version, name, count, django_assert_max_num_queries
):
    for _ in range(count):
        user = get_user_model().objects.get()
        correct(make_reading(version, user=user).digits.get(), 4, user=user)
        Activation.objects.create(version=version, requested_by=user)
    with django_assert_max_num_queries(9):
        admin.get(f"/admin/digits/{name}/")


def test_a_prediction_cannot_be_edited_added_or_deleted(admin, version):
    prediction = make_reading(version).digits.get().predictions.get()
    url = f"/admin/digits/prediction/{prediction.pk}"
    assert admin.post(f"{url}/change/", {"value": 1}).status_code == 403
    assert admin.post(f"{url}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/digits/prediction/add/").status_code == 403
    prediction.refresh_from_db()
    assert prediction.value == 7


def test_a_true_label_can_be_set_and_nothing_else(admin, version):
    digit = make_reading(version).digits.get()
    assert label(admin, digit, 1, x=99).status_code == 302
    digit.refresh_from_db()
    assert (digit.label, digit.x) == (1, 4)
    assert b"11 is not one of the available choices" in label(admin, digit, 11).content


def label(admin, digit, value, **fields):
    """Send the form of a digit's page."""
    inlines = {
        f"{name}-{kind}_FORMS": 0
        for name in ("predictions", "corrections")
        for kind in ("TOTAL", "INITIAL")
    }
    return admin.post(
        f"/admin/digits/digit/{digit.pk}/change/", {"label": value, **fields, **inlines}
    )


def test_who_set_a_true_label_and_when_is_kept(admin, version):
    digit = make_reading(version).digits.get()
    for value in (1, 1, ""):  # the second one changes nothing
        label(admin, digit, value)
    digit.refresh_from_db()
    withdrawn, corrected = Correction.objects.all()
    assert (corrected.label, withdrawn.label, digit.label) == (1, None, None)
    assert corrected.user.username == withdrawn.user.username == "root"
    assert digit.labelled_at == withdrawn.created_at


def test_a_staff_member_without_the_permission_sets_no_label(client, version):
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    digit = make_reading(version).digits.get()
    assert label(client, digit, 1).status_code == 403
    assert Correction.objects.count() == 0


def test_a_correction_cannot_be_edited_added_or_deleted(admin, version):
    correction = correct(make_reading(version).digits.get(), 4)
    url = f"/admin/digits/correction/{correction.pk}"
    assert admin.post(f"{url}/change/", {"label": 1}).status_code == 403
    assert admin.post(f"{url}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/digits/correction/add/").status_code == 403


@pytest.mark.parametrize("name", ["upload", "digit"])
def test_what_was_corrected_can_be_listed_alone(admin, version, name):
    correct(make_reading(version).digits.get(), 4)
    make_reading(version)
    for choice, expected in (("yes", 1), ("no", 1), ("nonsense", 2)):
        page = admin.get(f"/admin/digits/{name}/?corrected={choice}").content.decode()
        assert page.count('class="field-id"') == expected


@pytest.mark.parametrize("name", ["upload", "digit"])
def test_a_page_shows_who_corrected_and_what_versions_predicted(admin, version, name):
    digit = make_reading(version).digits.get()
    correct(digit, 4, user=get_user_model().objects.create_user("ann"))
    second = ModelVersion.objects.create(number=2, architecture="cnn")
    digit.predictions.create(version=second, value=1, confidence=0.8, probabilities=[0.1] * 10)
    row = digit.upload if name == "upload" else digit
    page = admin.get(f"/admin/digits/{name}/{row.pk}/change/").content.decode()
    assert "ann" in page
    assert "<div>version 1: 7 (91.0%)</div><div>version 2: 1 (80.0%)</div>" in page
    assert "They differ." in page


def test_an_uploads_page_takes_as_many_queries_for_many_digits(
    admin, version, django_assert_max_num_queries
):
    upload = make_reading(version, digits=30)
    for digit in upload.digits.all():
        correct(digit, 4)
    with django_assert_max_num_queries(12):
        admin.get(f"/admin/digits/upload/{upload.pk}/change/")


def test_a_prediction_shows_its_probabilities_and_version(admin, version):
    prediction = make_reading(version).digits.get().predictions.get()
    page = admin.get(f"/admin/digits/prediction/{prediction.pk}/change/").content.decode()
    assert "7: 91.00%" in page
    assert "91.0 %" in page
    assert "version 1" in page


def test_uploads_are_found_by_their_whole_reading(admin, version):
    make_reading(version, value=4, name="four.png")
    make_reading(version, value=7, name="seven.png")
    page = admin.get("/admin/digits/upload/?q=7").content.decode()
    found = admin.get("/admin/digits/upload/?q=four").content.decode()
    assert page.count('class="field-reading"') == 1
    assert found.count('class="field-reading"') == 1


def test_an_admin_sees_why_an_upload_failed(admin):
    upload = make_upload(status="failed", error="It is cut off.", error_detail="Traceback: x")
    page = admin.get(f"/admin/digits/upload/{upload.pk}/change/").content.decode()
    assert "It is cut off." in page
    assert "Traceback: x" in page


def test_deleting_an_upload_takes_its_digits_and_predictions(admin, version):
    upload = make_reading(version)
    answer = admin.post(f"/admin/digits/upload/{upload.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert Digit.objects.count() == Prediction.objects.count() == 0


def test_an_account_can_be_deleted_with_what_it_sent(admin, version):
    bob = get_user_model().objects.create_user("bob")
    make_reading(version, user=bob)
    assert admin.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Digit.objects.count() == 0


@pytest.mark.parametrize("name", ["upload", "modelversion"])
def test_no_page_links_to_a_stored_file(admin, version, name):
    row = make_reading(version) if name == "upload" else version
    page = admin.get(f"/admin/digits/{name}/{row.pk}/change/").content.decode()
    assert row.file.name in page
    assert f'{row.file.name}"' not in page


@pytest.fixture
def second(version):
    return ModelVersion.objects.create(number=2, file="models/2.keras", parent=version)


def activate_url(version) -> str:
    return f"/admin/digits/modelversion/{version.pk}/activate/"


def test_one_click_activates_a_version(admin, redis, version, second):
    text = admin.get("/admin/digits/modelversion/").content.decode()
    assert f'formaction="{activate_url(second)}"' in text
    assert f'formaction="{activate_url(version)}"' not in text
    assert (
        activate_url(second)
        in admin.get(f"/admin/digits/modelversion/{second.pk}/change/").content.decode()
    )
    text = admin.post(activate_url(second), follow=True).content.decode()
    assert "The activation of version 2 was requested." in text
    activation = Activation.objects.get()
    assert (activation.version, activation.requested_by.username) == (second, "root")


def test_one_click_rolls_back(admin, redis, version, second):
    assert "Roll back" not in admin.get("/admin/digits/modelversion/").content.decode()
    activations.complete(claimed_activation(second))
    for path in ("", f"{second.pk}/change/"):
        text = admin.get(f"/admin/digits/modelversion/{path}").content.decode()
        assert "Roll back to version 1" in text
        assert f'action="{activate_url(version)}"' in text
    admin.post(activate_url(version))
    assert Activation.objects.first().version == version


def test_only_who_may_see_versions_can_activate_one(client, second):
    assert client.post(activate_url(second)).status_code == 302  # to sign in
    client.force_login(get_user_model().objects.create_user("ann", is_staff=True))
    assert client.post(activate_url(second)).status_code == 403
    client.force_login(get_user_model().objects.create_superuser("eve"))
    assert client.get(activate_url(second)).status_code == 405
    assert Activation.objects.count() == 0


def test_activations_are_only_looked_at(admin, second):
    activation = claimed_activation(second)
    activations.refuse(activation, "the model file 2.keras is missing")
    assert "2.keras is missing" in admin.get("/admin/digits/activation/").content.decode()
    url = f"/admin/digits/activation/{activation.pk}"
    assert admin.post(f"{url}/change/", {"status": "done"}).status_code == 403
    assert admin.post(f"{url}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/digits/activation/add/").status_code == 403


def test_the_index_shows_the_state_of_the_system_and_what_one_looks_for(admin, redis, second):
    activations.complete(claimed_activation(second))
    page = admin.get("/admin/").content.decode()
    assert "Uploads in the last 24 hours" in page
    assert "No worker process has given a sign of life." in page
    assert 'href="/admin/digits/trainingrun/retrain/">Retrain</a>' in page
    assert "Roll back to version 1" in page
    assert "hx-get" not in page
    for path in ("/dashboard/", "/uploads/", "/admin/digits/upload/", "/admin/auth/user/"):
        assert f'href="{path}"' in page


def test_the_index_takes_few_queries(admin, redis, version, django_assert_max_num_queries):
    for _ in range(20):
        correct(make_reading(version).digits.get(), 4)
    with django_assert_max_num_queries(19):
        admin.get("/admin/")


OFFERED = {
    "reviewer": set(),
    "trainer": {">Retrain<"},
    "operator": {
        "Uploads in the last 24 hours",
        "Roll back",
        "Live dashboard",
        "/admin/auth/user/",
    },
}
ANYTHING = set.union(*OFFERED.values())


def test_the_index_offers_only_what_one_may_do(client, redis, second):
    activations.complete(claimed_activation(second))
    for role, shown in OFFERED.items():
        client.force_login(make_user(role, role))
        page = client.get("/admin/").content.decode()
        assert {text for text in ANYTHING if text in page} == shown
    client.force_login(get_user_model().objects.create_user("eve", is_staff=True))
    assert not [text for text in ANYTHING if text in client.get("/admin/").content.decode()]


def test_lists_link_to_what_their_rows_are_of(admin, redis, version, second):
    digit = make_reading(version).digits.get()
    correction = correct(digit, 4)
    activations.request(second)
    for name, target in (
        ("digit", f"upload/{digit.upload_id}"),
        ("prediction", f"digit/{digit.pk}"),
        ("correction", f"digit/{correction.digit_id}"),
        ("activation", f"modelversion/{second.pk}"),
    ):
        page = admin.get(f"/admin/digits/{name}/").content.decode()
        assert f'href="/admin/digits/{target}/change/"' in page


def test_uploads_are_found_by_what_they_were_corrected_to(admin, version):
    correct(make_reading(version, value=7).digits.get(), 4)
    page = admin.get("/admin/digits/upload/?q=4").content.decode()
    assert page.count('class="field-reading"') == 1


def test_a_list_counts_no_further_than_it_must(admin, monkeypatch):
    monkeypatch.setattr(base, "COUNTED", 60)
    for _ in range(120):
        make_upload()
    first = admin.get("/admin/digits/upload/").content.decode()
    assert "more than 60 uploads" in first
    assert "?p=2" in first
    second = admin.get("/admin/digits/upload/?p=2").content.decode()
    assert "more than 100 uploads" in second
    third = admin.get("/admin/digits/upload/?p=3").content.decode()
    assert "120 uploads" in third
    assert third.count('class="action-checkbox"') == 20


@pytest.mark.parametrize("number", ["9", "0", "-1", "x", "9" * 5000, "²"])
def test_a_page_of_a_list_that_is_not_there_leads_to_the_first(admin, number):
    make_upload()
    answer = admin.get(f"/admin/digits/upload/?p={number}", follow=True)
    assert answer.status_code == 200
    assert answer.content.decode().count('class="action-checkbox"') == 1


def shown(admin, address: str, model: str = "upload") -> set[int]:
    """The numbers of the rows to which a list links."""
    page = admin.get(f"/admin/digits/{address}").content.decode()
    return {int(key) for key in re.findall(rf"/{model}/(\d+)/change/", page)}


def test_uploads_are_filtered_by_their_state(admin, version):
    done, failed, waits = make_reading(version), make_upload(status="failed"), make_upload()
    assert shown(admin, "upload/?status=failed") == {failed.pk}
    assert shown(admin, "upload/?status=queued") == {waits.pk}
    assert shown(admin, "upload/?status=done") == {done.pk}
    assert shown(admin, "upload/?status=nonsense") == {done.pk, failed.pk, waits.pk}


def test_predictions_are_filtered_by_what_was_read(admin, version):
    seven = make_reading(version, value=7).digits.get()
    nothing = make_reading(version, value=None).digits.get()
    assert shown(admin, "prediction/?value=7", "digit") == {seven.pk}
    assert shown(admin, "prediction/?value=10", "digit") == {nothing.pk}
    assert shown(admin, "prediction/?value=3", "digit") == set()


def test_the_newest_digits_come_first(admin, version):
    digits = [make_reading(version).digits.get() for _ in range(3)]
    page = admin.get("/admin/digits/digit/").content.decode()
    found = [int(key) for key in re.findall(r"/digit/(\d+)/change/", page)]
    assert list(dict.fromkeys(found)) == [digit.pk for digit in reversed(digits)]
