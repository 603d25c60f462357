"""The schema, and the page that shows it."""

import pytest
from django.core.management import call_command
from drf_spectacular.validation import validate_schema

from digits.api.urls import version_1

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def schema(client):
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    return answer.json()


def test_it_is_openapi_3_1_made_without_a_warning(tmp_path, schema):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", tmp_path / "schema.yml")
    assert schema["openapi"] == "3.1.0"
    validate_schema(schema)


def test_it_names_every_address_of_the_api(schema):
    addresses = {f"/api/v1/{pattern.pattern}".replace("<int:id>", "{id}") for pattern in version_1}
    assert set(schema["paths"]) == addresses


def test_every_operation_says_what_it_does_and_names_its_problems(schema):
    operations = [one for path in schema["paths"].values() for one in path.values()]
    assert len(operations) >= 14
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert {"401", "403", "429"} <= set(operation["responses"])
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                (media,) = answer["content"]
                assert media == "application/problem+json"


def test_it_is_yaml_for_whoever_accepts_only_that(client):
    answer = client.get("/api/schema/", headers={"Accept": "application/yaml"})
    assert answer.content.startswith(b"openapi: 3.1.0")
