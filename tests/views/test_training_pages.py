"""The pages of training runs: everybody watches them, staff request and cancel them."""

import pytest
from django.contrib.auth import get_user_model

from digits.learning import runs
from digits.models import ModelVersion, TrainingRun
from digits.models.training import RunStatus
from digits.pictures.charts import curve
from tests.factories import make_user
from worker.training.recipes import Recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
PLACES = ["/training/new", "/admin/digits/trainingrun/retrain/"]


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return client


@pytest.fixture
def run():
    runs.ask(Recipe.fine_tuning(epochs=4))
    run = runs.claim()
    curves = [
        {"epoch": n, "at": 10.0 * n, "loss": 1 / n, "val_loss": 2 / n, "accuracy": 0.9}
        for n in (1, 2)
    ]
    runs.update(run, epoch=2, step=50, steps=100, curves=curves)
    return run


@pytest.mark.parametrize("place", PLACES)
def test_staff_ask_for_a_training_with_settings(staff, place):
    assert b"0 new corrections since the last training" in staff.get(place).content
    form = {"start": "active", "architecture": "mlp", "epochs": 3, "seed": 7, "forced": "on"}
    form["images_per_epoch"] = 500
    page = staff.post(place, form, follow=True).content.decode()
    run = TrainingRun.objects.get()
    assert (run.status, run.epochs, run.forced, run.activate_if_better) == (
        "queued",
        3,
        True,
        False,
    )
    assert run.settings["architecture"] == "cnn"  # that of the version it starts from
    assert (run.settings["seed"], run.settings["images_per_epoch"]) == (7, 500)
    assert run.requested_by.username == "root"
    assert "Waiting for the train worker" in page
    assert "3 epochs of 500 MNIST images" in page


@pytest.mark.parametrize("place", PLACES)
def test_asking_twice_leads_to_the_run_that_is_under_way(staff, place, run):
    page = staff.post(place, {"start": "scratch", "architecture": "cnn"}, follow=True).content
    assert f"raining run {run.pk} is not finished yet".encode() in page
    assert TrainingRun.objects.count() == 1


@pytest.mark.parametrize("place", PLACES)
def test_settings_out_of_bounds_are_refused_in_words(staff, place):
    form = {"start": "scratch", "architecture": "cnn", "epochs": 0}
    assert b"Expected epochs from 1 to 1000, received 0" in staff.post(place, form).content
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_only_staff_may_retrain(client, place):
    client.force_login(get_user_model().objects.create_user("ann"))
    assert client.post(place, {"start": "active"}).status_code in (302, 403)
    assert not TrainingRun.objects.exists()


def test_a_run_shows_its_progress_curves_and_log_to_all(client, run):
    page = client.get(run.get_absolute_url()).content.decode()
    assert "Epoch 3 of 4, step 50 of 100" in page
    assert "about 15.0 s left" in page
    assert 'hx-trigger="every 1s"' in page
    assert "0.0,93.3 320.0,140.0" in page  # the loss of training, from 1 to 0.5
    assert "requested by a person" in page
    assert "Cancel the training" not in page


def test_a_finished_run_is_polled_no_more(client, run):
    runs.finish(run, RunStatus.DONE, "made", outcome="version 2 was made")
    page = client.get(run.get_absolute_url(), headers={"HX-Request": "true"}).content.decode()
    assert "Version 2 was made" in page
    assert "hx-get" not in page


@pytest.mark.parametrize("place", ["/training/{}/cancel", "/admin/digits/trainingrun/{}/cancel/"])
def test_staff_cancel_a_run(staff, run, place):
    page = staff.post(place.format(run.pk), follow=True).content
    assert b"The training is being cancelled" in page
    assert runs.is_cancelled(run)


def test_the_admin_lists_runs_and_shows_one_live(staff, run):
    listed = staff.get("/admin/digits/trainingrun/").content.decode()
    assert "62.5 %" in listed
    assert "Retrain" in listed
    page = staff.get(f"/admin/digits/trainingrun/{run.pk}/change/").content.decode()
    assert "Epoch 3 of 4" in page
    assert f'hx-get="/training/{run.pk}/"' in page


def test_the_pages_of_models_offer_to_retrain_and_show_what_runs(staff, run):
    assert b"Retrain" in staff.get("/admin/digits/modelversion/").content
    page = staff.get("/models/").content.decode()
    assert f"Training {run.pk}" in page
    assert "62.5 %" in page
    runs.finish(run, RunStatus.FAILED, "failed", error="no space left")
    assert "no space left" in staff.get("/models/").content.decode()
    assert "Retrain" in staff.get("/training/", headers={"HX-Request": "true"}).content.decode()


def test_a_report_leads_to_its_run_and_back(client, run):
    version = ModelVersion.active()
    runs.finish(run, RunStatus.DONE, "made", version=version)
    assert version.get_absolute_url() in client.get(run.get_absolute_url()).content.decode()


def test_a_curve_without_validation_has_one_line():
    drawn = curve([{"loss": 2.0}, {"loss": 1.0}], "loss", "val_loss")
    assert drawn.training == "0.0,0.0 320.0,140.0"
    assert (drawn.validation, drawn.last) == ("", (1.0, None))
    assert curve([], "loss", "val_loss") is None


def test_who_asked_for_a_training_is_told_to_those_alone_who_train_or_operate(client):
    run = runs.ask(Recipe.fine_tuning(), user=make_user("very-secret-name", "trainer"))
    runs.cancel(run)
    places = (run.get_absolute_url(), "/models/", f"/api/v1/training-runs/{run.pk}/")
    senders = {
        "visitor": None,
        "account": make_user("ben"),
        "reviewer": make_user("re", "reviewer"),
    }
    for user in senders.values():
        client.logout()
        if user:
            client.force_login(user)
        assert not [path for path in places if b"very-secret-name" in client.get(path).content]
    for role in ("trainer", "operator"):
        client.force_login(make_user(role, role))
        assert b"very-secret-name" in client.get(run.get_absolute_url()).content
        assert b"very-secret-name" in client.get("/models/").content
