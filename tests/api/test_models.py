"""Model versions of the API."""

import pytest
from rest_framework.test import APIClient

from digits.models import Activation, ModelVersion
from digits.versions import activations
from tests.api.clients import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
MODELS = "/api/v1/models/"


def other_version() -> ModelVersion:
    return ModelVersion.objects.create(number=2, architecture="cnn", sha256="2" * 64)


def test_versions_are_listed_for_all_the_newest_first(version):
    newer = other_version()
    rows = APIClient().get(MODELS).json()["results"]
    assert [(row["id"], row["number"]) for row in rows] == [(newer.pk, 2), (version.pk, 1)]
    assert [row["is_active"] for row in rows] == [False, True]
    assert rows[1]["mnist_accuracy"] == version.mnist_accuracy > 0.99
    assert rows[0]["mnist_accuracy"] is None


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_takes_as_many_queries_for_many_versions(
    api, version, count, django_assert_max_num_queries
):
    for number in range(count):
        ModelVersion.objects.create(number=number + 2, parent=version, sha256="x")
    with django_assert_max_num_queries(3):
        assert len(api.get(MODELS).json()["results"]) == count + 1


def test_staff_ask_for_an_activation_and_see_what_becomes_of_it(staff):
    wanted = other_version()
    answer = staff.post(f"{MODELS}{wanted.pk}/activate/")
    assert answer.status_code == 202
    assert answer["Location"] == f"http://testserver{MODELS}{wanted.pk}/"
    assert answer.json()["activation"]["status"] == "queued"
    activation = Activation.objects.get()
    assert activation.requested_by.username == "root"
    activations.refuse(activations.claim(), "the file was changed")
    shown = staff.get(answer["Location"]).json()
    assert (shown["is_active"], shown["activation"]["reason"]) == (False, "the file was changed")


LACK = "This needs the permission to activate model versions."


def test_only_operators_activate(api, version):
    path = f"{MODELS}{version.pk}/activate/"
    assert problem(api.post(path), 403)["detail"] == LACK
    problem(APIClient().post(path), 401)
    assert Activation.objects.count() == 0


def test_a_version_that_there_is_not_is_not_found(staff):
    problem(staff.get(f"{MODELS}99/"), 404)
    problem(staff.post(f"{MODELS}99/activate/"), 404)
