"""Training runs of the API."""

import pytest
from rest_framework.test import APIClient

from digits.learning import runs
from digits.models import ModelVersion, TrainingRun
from digits.models.training import RunStatus
from tests.api.clients import problem
from worker.training.recipes import Recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
RUNS = "/api/v1/training-runs/"


def ask(client, **settings):
    return client.post(RUNS, settings, format="json")


def test_staff_ask_for_a_training_with_settings(staff):
    answer = ask(staff, epochs=3, images_per_epoch=500, seed=7, forced=True)
    run = TrainingRun.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver{RUNS}{run.pk}/"
    assert (run.status, run.epochs, run.forced, run.activate_if_better) == ("queued", 3, True, True)
    assert (run.settings["seed"], run.settings["images_per_epoch"]) == (7, 500)
    assert run.requested_by.username == "root"
    body = staff.get(answer["Location"]).json()
    assert (body["settings"]["epochs"], body["progress"], body["log"]) == (
        3,
        0,
        ["requested by a person"],
    )


def test_a_second_training_waits_for_the_first_to_end(staff):
    first = ask(staff).json()["id"]
    detail = problem(ask(staff), 409)["detail"]
    assert detail == f"Training run {first} is not finished yet; one runs at a time."
    assert staff.post(f"{RUNS}{first}/cancel/").json()["status"] == "cancelled"
    assert ask(staff, start="scratch", architecture="mlp").status_code == 201


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"epochs": 0}, ""),
        ({"epochs": "many"}, "epochs"),
        ({"seed": "x"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"start": "nowhere"}, "start"),
        ({"architecture": "rnn"}, "architecture"),
        ({"learning_rate": "nan"}, "learning_rate"),
        ({"forced": "perhaps"}, "forced"),
        ({"epochs": 10**400}, ""),
    ],
)
def test_settings_out_of_bounds_are_refused(staff, asked, field):
    assert problem(ask(staff, **asked), 400)["errors"][0]["field"] == field
    assert TrainingRun.objects.count() == 0


def test_without_an_active_version_there_is_nothing_to_fine_tune(staff):
    ModelVersion.objects.update(is_active=False)
    assert "train from scratch" in problem(ask(staff), 400)["detail"]


def test_only_staff_ask_and_cancel_and_all_look(api):
    run = runs.ask(Recipe.fine_tuning())
    for client, status in ((api, 403), (APIClient(), 401)):
        problem(ask(client), status)
        problem(client.post(f"{RUNS}{run.pk}/cancel/"), status)
        assert client.get(RUNS).json()["results"][0]["status"] == "queued"
        assert client.get(f"{RUNS}{run.pk}/").status_code == 200


def test_a_run_that_had_ended_cannot_be_cancelled(staff):
    runs.ask(Recipe.fine_tuning())
    run = runs.claim()
    curves = [{"epoch": n, "at": 10.0 * n, "loss": 1 / n, "accuracy": None} for n in (1, 2)]
    runs.update(run, epoch=2, curves=curves)
    body = staff.get(f"{RUNS}{run.pk}/").json()
    assert (body["epoch"], body["progress"], body["seconds_left"]) == (2, 0.5, 20)
    assert body["curves"][1]["loss"] == 0.5
    runs.finish(run, RunStatus.DONE, "made")
    answer = problem(staff.post(f"{RUNS}{run.pk}/cancel/"), 409)
    assert answer["detail"] == "The training run had ended already."


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_takes_as_many_queries_for_many_runs(api, count, django_assert_max_num_queries):
    for _ in range(count):
        TrainingRun.objects.create(status=RunStatus.DONE)
    with django_assert_max_num_queries(3):
        assert len(api.get(RUNS).json()["results"]) == count
