"""The page of the API's documentation: all of the schema, with examples that are true to it."""

import json
import re

import jsonschema
import pytest

from digits.api import reference

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
BASE = "http://testserver/"


@pytest.fixture
def page(client) -> str:
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def operations():
    return [one for group in reference.groups(BASE) for one in group.operations]


def test_it_has_every_operation_of_the_schema_once(client, operations):
    paths = client.get("/api/schema/").json()["paths"]
    wanted = {(name.upper(), path) for path, methods in paths.items() for name in methods}
    assert len(operations) == len(wanted)
    assert {(one.method, one.path) for one in operations} == wanted


def test_every_link_within_it_leads_somewhere(page):
    places = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert len(links) > 30
    assert links <= places


def test_an_operation_says_how_to_ask_and_what_comes_back(page):
    part = page[page.index('id="create_upload"') : page.index('id="get_upload"')]
    for text in ("multipart/form-data", "Idempotency-Key", "0 to 30", "201", "415", "at most 255"):
        assert text in part
    assert "--form file=@photo.jpg" in part
    assert "http://testserver/api/v1/uploads/?wait=30" in part
    assert '<a href="#Upload">Upload</a>' in part


def test_every_example_is_what_the_schema_allows(client, operations):
    schema = client.get("/api/schema/").json()
    known = {"components": schema["components"]}
    examples = [
        (one, answer) for one in operations for answer in one.answers if answer.kind is not None
    ]
    assert len(examples) >= 14
    for one, answer in examples:
        content = schema["paths"][one.path][one.method.lower()]["responses"][answer.status]
        ((media, own),) = content["content"].items()
        if media == "application/json":
            jsonschema.validate(json.loads(answer.example), own["schema"] | known)


def test_the_example_of_a_problem_is_one(client):
    schema = client.get("/api/schema/").json()
    problem = json.loads(reference.problem())
    assert problem["status"] == 400
    own = {"$ref": "#/components/schemas/Problem", "components": schema["components"]}
    jsonschema.validate(problem, own)


def test_it_needs_no_script(page):
    main = page[page.index("<main") : page.index("</main>")]
    assert "<script" not in main
