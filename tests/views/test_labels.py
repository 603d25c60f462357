"""People correct readings: on the result page, in the history, without JavaScript."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from digits.learning.corrections import correct
from digits.models import Correction, Digit, ModelVersion, Prediction
from digits.models.corrections import NOT_A_DIGIT
from digits.uploads.lines import corrected_reading, reading_in_lines
from tests.factories import make_reading, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def ann():
    return get_user_model().objects.create_user("ann", password="x")


@pytest.fixture
def upload(client, ann):
    client.force_login(ann)
    return make_reading(ModelVersion.active(), digits=2, user=ann)


@pytest.fixture
def digit(upload):
    return upload.digits.first()


def send_label(client, digit, label, **options):
    return client.post(f"/digit/{digit.pk}/label", {"label": label}, **options)


def test_a_label_is_kept_with_who_gave_it(client, digit, ann):
    answer = send_label(client, digit, "4")
    assert (answer.status_code, answer.url) == (
        302,
        f"/uploads/{digit.upload_id}/#digit-{digit.pk}",
    )
    digit.refresh_from_db()
    assert digit.label == 4
    assert Correction.objects.get().user == ann


def test_the_page_says_what_was_corrected_and_what_confirmed(client, upload):
    first, second = upload.digits.all()
    send_label(client, first, "4")
    send_label(client, second, "7")
    page = client.get(upload.get_absolute_url()).content.decode()
    assert "corrected to 4 (was 7)" in page
    assert ">confirmed<" in page
    assert '<p class="answer">77</p>' in page
    assert '<strong class="reading">47</strong>' in page
    assert page.count('aria-pressed="true"') == 2


def test_htmx_gets_the_digit_and_the_corrected_reading_alone(client, digit):
    part = send_label(client, digit, "10", headers=HTMX).content.decode()
    assert "corrected to not a digit (was 7)" in part
    assert part.count("<section") == 1
    assert 'id="corrected" hx-swap-oob="true"' in part
    assert '<strong class="reading">7</strong>' in part
    assert "<html" not in part


def test_a_label_can_be_withdrawn(client, digit):
    send_label(client, digit, "4")
    part = send_label(client, digit, "", headers=HTMX).content.decode()
    digit.refresh_from_db()
    assert digit.label is None
    assert [one.label for one in Correction.objects.all()] == [None, 4]
    assert "Withdraw" not in part
    assert 'id="corrected" hx-swap-oob="true" hidden' in part


def test_there_is_nothing_to_withdraw_without_a_label(client, digit):
    assert send_label(client, digit, "").status_code == 302
    assert Correction.objects.count() == 0


@pytest.mark.parametrize("label", ["11", "-1", "05", "four", " ", "<b>"])
def test_what_is_no_label_is_refused_with_what_was_expected(client, digit, label):
    answer = send_label(client, digit, label)
    assert answer.status_code == 400
    assert "Expected the field label to be 0 to 9" in answer.content.decode()
    assert Correction.objects.count() == 0


def test_a_form_without_a_label_is_refused(client, digit):
    answer = client.post(f"/digit/{digit.pk}/label")
    assert answer.status_code == 400
    assert "received nothing" in answer.content.decode()


def test_only_a_post_labels(client, digit):
    assert client.get(f"/digit/{digit.pk}/label").status_code == 405


def test_nobody_labels_what_is_not_theirs_to_see(client, digit):
    assert send_label(Client(), digit, "4").status_code == 404
    client.force_login(get_user_model().objects.create_user("bob"))
    assert send_label(client, digit, "4").status_code == 404
    client.force_login(make_user("ruth", "reviewer"))
    assert send_label(client, digit, "4").status_code == 302
    assert Correction.objects.count() == 1


def test_a_browser_session_labels_its_own():
    client = Client()
    session = client.session
    session["visitor"] = "a" * 32
    session.save()
    digit = make_reading(ModelVersion.active(), visitor="a" * 32).digits.get()
    send_label(client, digit, "3")
    correction = Correction.objects.get()
    assert (correction.label, correction.user, correction.visitor) == (3, None, "a" * 32)


def test_a_form_of_another_site_labels_nothing(digit, ann):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert send_label(strict, digit, "4").status_code == 403


def test_labelling_takes_as_many_queries_for_many_digits(
    client, ann, django_assert_max_num_queries
):
    digit = make_reading(ModelVersion.active(), digits=30, user=ann).digits.last()
    client.force_login(ann)
    with django_assert_max_num_queries(17):  # whose word it is, and what was the label, are two
        assert send_label(client, digit, "4", headers=HTMX).status_code == 200


def test_the_history_shows_the_corrected_reading_beside_the_models(client, digit):
    assert "corrected to" not in client.get("/uploads/").content.decode()
    correct(digit, 3)
    page = client.get("/uploads/").content.decode()
    assert '<strong class="reading">77</strong>' in page
    assert "corrected to <strong>37</strong>" in page


@pytest.mark.parametrize("count", [1, 20])
def test_the_history_takes_as_many_queries_for_many_corrections(
    client, ann, count, django_assert_max_num_queries
):
    client.force_login(ann)
    for _ in range(count):
        correct(make_reading(ModelVersion.active(), user=ann).digits.get(), 1)
    with django_assert_max_num_queries(7):
        client.get("/uploads/")


def lines(reading: str, *digits: tuple[int, int | None]):
    """An upload of this reading, whose digits have these lines and values."""
    version = ModelVersion.active()
    upload = make_reading(version, digits=len(digits))
    upload.reading = reading
    for digit, (line, value) in zip(upload.digits.all(), digits, strict=True):
        Digit.objects.filter(pk=digit.pk).update(line=line)
        Prediction.objects.filter(digit=digit).update(value=value)
    return upload, list(upload.digits.with_predictions())


def test_a_corrected_reading_keeps_its_lines_and_gains_what_was_called_no_digit():
    upload, digits = lines("12 34", (0, 1), (0, 2), (0, None), (1, 3), (1, 4))
    digits[2].label, digits[3].label = 5, NOT_A_DIGIT
    assert corrected_reading(upload, digits) == "125 4"


def test_a_confirmed_reading_is_no_corrected_one():
    upload, digits = lines("12", (0, 1), (0, 2))
    digits[0].label = 1
    assert corrected_reading(upload, digits) == ""


def test_a_reading_of_which_no_digit_is_left_says_so():
    upload, digits = lines("1", (0, 1))
    digits[0].label = NOT_A_DIGIT
    assert corrected_reading(upload, digits) == "not a digit"


def test_a_corrected_reading_keeps_what_is_written_between_its_digits():
    upload, digits = lines("-12.5 7 3", (0, 1), (0, 2), (0, 5), (0, 7), (1, 3))
    for digit, before in zip(digits, ["-", "", ".", " ", ""], strict=True):
        digit.before = before
    digits[2].label = 6
    assert corrected_reading(upload, digits) == "-12.6 7 3"
    assert reading_in_lines(upload, digits) == "-12.6 7\n3"
