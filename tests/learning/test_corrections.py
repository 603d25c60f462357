"""Corrections are kept with who made them and when, and are never overwritten."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from digits.learning.corrections import correct
from digits.learning.runs import new_corrections
from digits.models import Digit, ModelVersion, Prediction, TrainingRun, Upload
from digits.models.corrections import NOT_A_DIGIT
from digits.models.training import RunStatus
from tests.factories import make_reading, staff_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def digit():
    return make_reading(ModelVersion.active()).digits.get()


def test_a_correction_sets_the_label_and_keeps_who_and_when(digit):
    ann = get_user_model().objects.create_user("ann")
    correct(digit, 1, user=ann)
    correct(digit, None, visitor="a browser")
    digit.refresh_from_db()
    assert digit.label is None
    withdrawn, corrected = digit.corrections.all()
    assert (corrected.label, corrected.user, withdrawn.label, withdrawn.visitor) == (
        1,
        ann,
        None,
        "a browser",
    )
    assert digit.labelled_at == withdrawn.created_at > corrected.created_at


def test_a_correction_leaves_the_prediction_alone(digit):
    correct(digit, NOT_A_DIGIT)
    prediction = digit.predictions.get()
    assert (prediction.value, prediction.confidence) == (7, 0.91)


@pytest.mark.parametrize("label", [11, 200])
def test_the_database_refuses_what_is_no_class(digit, label):
    with pytest.raises(IntegrityError), transaction.atomic():
        correct(digit, label)


def test_corrections_are_new_until_a_training_has_learned_from_them(digit):
    assert new_corrections() == 0
    correct(digit, 7, user=staff_member())
    assert new_corrections() == 1
    TrainingRun.objects.create(status=RunStatus.FAILED, data_until=timezone.now())
    assert new_corrections() == 1
    TrainingRun.objects.create(status=RunStatus.DONE, data_until=timezone.now())
    assert new_corrections() == 0
    correct(digit, 3, user=staff_member())
    assert new_corrections() == 1


def test_one_training_run_is_unfinished_at_a_time(digit):
    TrainingRun.objects.create()
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.create(status=RunStatus.RUNNING)
    TrainingRun.objects.update(status=RunStatus.DONE)
    TrainingRun.objects.create()
    TrainingRun.objects.create(status=RunStatus.CANCELLED)
    assert Digit.objects.count() == 1


def what_people_made_of(digit) -> tuple[str, str]:
    return Upload.objects.values_list("verdict", "corrected").get(pk=digit.upload_id)


def test_an_upload_says_what_people_made_of_its_reading(digit):
    known = [(7, ("confirmed", "")), (1, ("corrected", "1")), (None, ("", ""))]
    for label, expected in [*known, (NOT_A_DIGIT, ("corrected", "not a digit"))]:
        correct(digit, label)
        assert what_people_made_of(digit) == expected


def test_what_is_labelled_waits_for_no_review_until_it_is_withdrawn(digit):
    for label, waits in ((4, False), (None, True)):
        correct(digit, label)
        assert digit.predictions.get().to_review is waits


def test_uploads_of_before_learn_what_was_made_of_them(digit):
    correct(digit, 1)
    untouched = make_reading(ModelVersion.active())
    Upload.objects.update(verdict="", corrected="", version=None)
    Prediction.objects.update(to_review=True)
    import_module("digits.migrations.0006_fill_history_and_review").fill(apps, None)
    assert what_people_made_of(digit) == ("corrected", "1")
    untouched.refresh_from_db()
    assert (untouched.verdict, untouched.version) == ("", ModelVersion.active())
    assert list(Prediction.objects.filter(to_review=True)) == [
        untouched.digits.get().predictions.get()
    ]
