"""The API on a running site: against its schema, by a generated client, as its document says."""

import html
import importlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from digits.models.api import Scope
from tests.site import ROOT, Site, environment

BIN = Path(sys.executable).parent
DOCUMENT = (ROOT / "docs" / "api.md").read_text()
MAKE_TOKEN = """
from django.contrib.auth import get_user_model
from digits.accounts import tokens
rights = {{"is_staff": {is_staff}, "is_superuser": {is_staff}}}
user, _ = get_user_model().objects.get_or_create(username="{name}", defaults=rights)
print(tokens.make(user, "a test", {scopes})[1])
"""
# So that nobody trains here: what is asked for is refused while this one is unfinished.
UNFINISHED = """
from datetime import timedelta
from django.utils import timezone
from digits.models import TrainingRun
tomorrow = timezone.now() + timedelta(days=1)
TrainingRun.objects.create(status="running", attempts=1, lease_expires_at=tomorrow)
"""
ENDED = """
from digits.models import TrainingRun
TrainingRun.objects.all().delete()
"""
# What may answer with something else than it should, and why that is no mistake:
# - the empty text for a filter is no filter, as in any form (negative_data_rejection);
# - what a cursor, an image or a new key is, no schema tells (positive_data_acceptance);
# - a made-up session cookie is that of a new visitor, who sees nothing (ignored_auth).
LEFT_OUT = "negative_data_rejection,positive_data_acceptance,ignored_auth"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of its own: what is made up against the schema activates versions, and trains."""
    with Site(tmp_path_factory.mktemp("api"), TRAIN_THREADS=1) as running:
        yield running


@pytest.fixture(scope="module")
def token(site):
    def make(name: str, is_staff: bool = False, scopes: Sequence[str] = tuple(Scope)) -> str:
        scopes = [str(scope) for scope in scopes]
        return site.query(MAKE_TOKEN.format(name=name, is_staff=is_staff, scopes=scopes))

    return make


@pytest.fixture(scope="module")
def generated(site, tmp_path_factory):
    """The package of a client, generated from the site's own schema."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text("post_hooks: []\n")
    words = ["generate", "--url", f"{site.url}/api/schema/", "--meta", "none", "--fail-on-warning"]
    places = ["--config", folder / "config.yml", "--output-path", folder / "digits_client"]
    done = run(BIN / "openapi-python-client", *words, *places)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"digits_client.{name}")
    sys.path.remove(str(folder))


def run(*words, cwd=ROOT, **changes) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in words],
        env=environment(**changes),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture
def unfinished_run(site):
    site.query(UNFINISHED)
    yield
    site.query(ENDED)


@pytest.mark.parametrize(
    ("is_staff", "which", "least"),
    [(False, [], 500), (True, ["--include-tag", "models", "--include-tag", "training-runs"], 100)],
)
@pytest.mark.usefixtures("unfinished_run")
def test_no_request_made_up_from_the_schema_gets_an_answer_that_it_does_not_name(
    site, token, is_staff, which, least, tmp_path
):
    options = {
        "--header": f"Authorization: Bearer {token(f'made-up-{is_staff}', is_staff)}",
        "--max-examples": 10,
        "--seed": 1,
        "--generation-database": "none",
        "--exclude-checks": LEFT_OUT,
        "--suppress-health-check": "all",
    }
    words = [word for option in options.items() for word in option]
    done = run(
        BIN / "schemathesis",
        *("run", f"{site.url}/api/schema/", "--continue-on-failure", *words, *which),
        cwd=tmp_path,
        SCHEMATHESIS_HOOKS="tests.system.schemathesis_hooks",
        PYTHONPATH=ROOT,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    cases = int(re.search(r"Test cases:\n\s+(\d+) generated", done.stdout)[1])
    print(f"schemathesis, staff {is_staff}: {cases} cases")
    assert cases >= least
    assert "Traceback" not in site.log()


def test_a_generated_client_uploads_waits_corrects_and_lists(site, token, generated, seven):
    types, models = generated("types"), generated("models")
    image = types.File(io.BytesIO(seven), "seven.png", "image/png")
    correction = models.PatchedCorrectionRequest(label=1)
    with generated("client").AuthenticatedClient(site.url, token("ann"), timeout=60) as client:

        def call(operation: str, *words, **options):
            return generated(f"api.{operation}").sync(*words, client=client, **options)

        body = models.UploadFileRequest(file=image)
        sent = call("uploads.create_upload", body=body)
        read = call("uploads.get_upload", sent.id, wait=30)
        assert (read.status, read.reading, read.created_at) == ("done", "7", sent.created_at)
        (digit,) = read.digits
        assert (digit.read_as, digit.box.width, digit.top[0].label) == (7, 16, 7)
        assert call("digits.correct_digit", digit.id, body=correction).label == 1
        (row,) = call("uploads.list_uploads", status=models.ListUploadsStatus.DONE).results
        assert (row.id, row.corrected_reading, row.verdict) == (sent.id, "1", "corrected")
        assert isinstance(call("uploads.get_upload", sent.id + 10**6), models.Problem)


def test_the_same_key_at_the_same_time_makes_one_upload(site, token, seven):
    headers = {"Authorization": f"Bearer {token('hasty')}", "Idempotency-Key": "only one"}
    place = f"{site.url}/api/v1/uploads/"

    def send(_):
        files = {"file": ("seven.png", seven)}
        return requests.post(place, files=files, headers=headers, params={"wait": 20}, timeout=40)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(12)))
    assert {answer.status_code for answer in answers} <= {201, 202}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(requests.get(place, headers=headers, timeout=10).json()["results"]) == 1


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.M | re.S)


def of_this_site(code: str, site, token: str) -> str:
    """An example with this site's address and a token that there is."""
    code = code.replace("http://127.0.0.1:8000", site.url)
    return code.replace("digits_the-token-that-you-were-shown", token)


@pytest.mark.parametrize(
    ("language", "words"), [("sh", ["bash", "-euo", "pipefail"]), ("python", [sys.executable])]
)
def test_every_example_of_the_document_runs(site, token, language, words, seven, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(seven)
    examples = blocks(language)
    assert examples
    code = of_this_site("\n".join(examples), site, token(f"reader-of-{language}", True))
    done = run(*words, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "7" in done.stdout


def test_the_answers_that_the_document_shows_are_as_the_answers_are(site, token, seven):
    lack, upload, problem = (json.loads(block) for block in blocks("json"))
    headers = {"Authorization": f"Bearer {token('careful')}"}
    place = f"{site.url}/api/v1/uploads/?wait=30&top_k=2"

    def send(data: bytes) -> dict:
        return requests.post(
            place, files={"file": ("photo.jpg", data)}, headers=headers, timeout=40
        ).json()

    def shape(value):
        if isinstance(value, dict):
            return {name: shape(inner) for name, inner in value.items()}
        return [shape(inner) for inner in value] if isinstance(value, list) else type(value)

    assert shape(send(seven)) == shape(upload)
    assert send(b"") == problem
    headers["Authorization"] = f"Bearer {token('careless', scopes=['read'])}"
    assert send(seven) == lack


def test_the_command_in_the_documentation_sends_a_picture(site, token, seven, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(seven)
    page = requests.get(f"{site.url}/api/docs/", timeout=40).text
    command = re.search(r'id="create_upload".*?<pre[^>]*><code>(.*?)</code>', page, re.DOTALL)[1]
    done = run("bash", "-c", html.unescape(command), cwd=tmp_path, TOKEN=token("reader"))
    assert json.loads(done.stdout)["reading"] == "7", done.stderr
