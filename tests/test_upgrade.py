"""The database of the release before is migrated, and its history reads the same.

tests/data/release-0.1.0.sql was written by version 0.1.0, and release-0.1.0.json is what that
version showed of it.
"""

import json
import sqlite3
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps

from digits.models import Digit, ModelVersion, Upload
from digits.uploads.lines import lines_of
from tests.factories import make_reading

DATA = Path(__file__).parent / "data"
SHOW = """
import json
from digits.models import Activation, Upload
from digits.uploads.exports import uploads_as_csv
from digits.uploads.lines import corrected_reading, lines_of
uploads = []
for upload in Upload.objects.order_by("id"):
    digits = list(upload.digits.with_predictions())
    assert corrected_reading(upload, digits) == upload.corrected
    uploads.append({
        "name": upload.name, "status": upload.status, "reading": upload.reading,
        "corrected": upload.corrected, "verdict": upload.verdict,
        "lines": [[digit.read_as.value for digit in line] for line in lines_of(digits)],
        "labels": [digit.label for digit in digits],
    })
print(json.dumps({
    "uploads": uploads, "csv": list(uploads_as_csv(Upload.objects.order_by("-id"))),
}))
"""
CLAIM = """
from digits.learning import runs
from digits.uploads import queue, rereading
from digits.versions import activations
print([upload.name for upload in queue.claim()], len(rereading.claim()), activations.claim().pk)
print(runs.claim())
"""

LEARNED = """
from digits.learning import data, runs
from digits.models import Correction
words = Correction.objects.order_by("pk").values_list("pk", "trust", "is_current")
print(list(words), len(data.collect().keys), runs.new_corrections())
"""


def installation(folder: Path) -> Path:
    """Make the data folder of an installation of version 0.1.0."""
    folder.mkdir()
    database = sqlite3.connect(folder / "db.sqlite3")
    database.executescript((DATA / "release-0.1.0.sql").read_text())
    database.close()
    return folder


def output(manage, folder: Path, code: str) -> list[str]:
    done = manage("shell", "--no-imports", "-c", code, DATA_DIR=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_history_of_the_release_before_reads_the_same(manage, tmp_path):
    folder = installation(tmp_path / "data")
    migrated = manage("migrate", "--verbosity", "0", DATA_DIR=folder)
    assert migrated.returncode == 0, migrated.stderr
    shown = json.loads(output(manage, folder, SHOW)[-1])
    expected = json.loads((DATA / "release-0.1.0.json").read_text())
    assert shown["uploads"] == expected["uploads"]
    # Since then the history has a last column, for warnings.
    header, *lines = shown["csv"]
    assert header == expected["csv"][0].replace("\r\n", ",warnings\r\n")
    assert lines == [line.replace("\r\n", ",\r\n") for line in expected["csv"][1:]]
    assert max(len(upload["lines"]) for upload in shown["uploads"]) == 4


def test_corrections_of_the_release_before_are_learned_from_as_before(manage, tmp_path):
    folder = installation(tmp_path / "data")
    manage("migrate", "--verbosity", "0", DATA_DIR=folder)
    assert output(manage, folder, LEARNED)[-1] == (
        "[(1, 'earlier', True), (2, 'earlier', True), (3, 'earlier', True), (4, 'earlier', False),"
        " (5, 'earlier', False), (6, 'earlier', True), (7, 'earlier', True)] 5 5"
    )


def test_what_waited_in_the_release_before_is_worked_on(manage, tmp_path):
    folder = installation(tmp_path / "data")
    manage("migrate", "--verbosity", "0", DATA_DIR=folder)
    assert output(manage, folder, CLAIM)[-2:] == ["['held.png'] 1 1", "None"]


@pytest.mark.parametrize(
    ("reading", "digits", "expected"),
    [
        ("12 34", [(0, 1), (9, 2), (0, 3), (9, 4)], [2, 2]),
        ("12 34", [(0, 1), (9, 2), (20, 3), (30, 4)], [2, 2]),  # a line beside and below another
        ("12 34", [(0, 1), (9, 2), (19, None), (0, 3), (9, 4)], [3, 2]),
        ("12 34", [(0, 1), (9, 2), (0, None), (9, 3), (19, 4)], [2, 3]),
        ("12 34", [(0, 1), (9, 2), (0, None), (0, 3), (9, 4)], [2, 1, 2]),
        ("12", [(0, None), (9, None), (0, 1), (9, 2)], [2, 2]),
        ("", [(0, None)], [1]),
    ],
)
@pytest.mark.django_db
def test_digits_are_put_into_the_lines_of_their_reading(reading, digits, expected):
    upload = make_reading(ModelVersion.active(), digits=len(digits))
    Upload.objects.filter(pk=upload.pk).update(reading=reading)
    for digit, (x, value) in zip(upload.digits.all(), digits, strict=True):
        Digit.objects.filter(pk=digit.pk).update(x=x)
        digit.predictions.update(value=value)
    import_module("digits.migrations.0011_lines_and_leases").fill_lines(apps, None)
    assert [len(line) for line in lines_of(upload.digits.all())] == expected
