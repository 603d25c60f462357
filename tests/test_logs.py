"""Lines of the log: one for each message, with the time in UTC."""

import json
import logging
import logging.config
import re
import sys

import pytest
from celery import shared_task
from django.conf import settings
from django.test import RequestFactory

from digits.models import Batch, Upload
from tests.site import run_manage
from webapp.logs import Object

WHEN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines(message: str, *words: str, **options) -> list[str]:
    """What the log of the site has of a message."""
    formatter = logging.config.DictConfigurator(settings.LOGGING).configure_formatter(
        dict(settings.LOGGING["formatters"]["line"])
    )
    record = logging.LogRecord("digits.x", logging.INFO, "x.py", 1, message, words, None, **options)
    return formatter.format(record).splitlines()


def test_a_line_says_when_by_which_process_and_where():
    (line,) = lines("uploads: %s", "3")
    assert re.fullmatch(rf"{WHEN} INFO \[\d+\] digits\.x: uploads: 3", line)


def test_times_are_those_of_utc_wherever_the_machine_is(monkeypatch):
    import time
    from datetime import UTC, datetime

    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        said = datetime.fromisoformat(lines("x")[0].split()[0])
    finally:
        monkeypatch.undo()
        time.tzset()
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60


def test_a_name_ends_no_line():
    forged = "a.png\n2026-01-01T00:00:00.000Z INFO [1] digits: all is well\r\x1b[2J\u2028"
    (line,) = lines("could not read %s", forged)
    assert r"a.png\n2026" in line
    assert r"well\r\x1b[2J\u2028" in line


def logged(message: str, *words, **extra) -> dict:
    """The object that the log has of a message, on one line."""
    record = logging.LogRecord("digits.x", logging.ERROR, "x.py", 1, message, words, None)
    record.__dict__.update(extra)
    line = Object().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_an_object_says_what_a_line_says():
    said = logged("uploads: %s\n", "3")
    assert re.fullmatch(WHEN, said.pop("time"))
    assert said.pop("process") > 0
    assert said == {"level": "ERROR", "logger": "digits.x", "message": "uploads: 3\n"}


def test_a_name_ends_no_object():
    name = "a.png\n\r\x1b[2J\x85\u2028\u2029é"
    record = logging.LogRecord("digits.x", logging.ERROR, "x.py", 1, "%s", (name,), None)
    line = Object().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == name


def test_an_object_has_the_ids_of_the_rows_that_it_is_about():
    said = logged("%s and %s fail: %s", Upload(pk=7), Batch(pk=8), OSError("full"))
    assert said["message"] == "upload 7 and batch 8 fail: full"
    assert (said["upload"], said["batch"]) == (7, 8)


def test_an_object_has_the_task_that_it_comes_from():
    @shared_task(name="tests.logs")
    def task():
        return logged("x")

    said = task.apply(task_id="some-id").get()
    assert (said["task"], said["task_id"]) == ("tests.logs", "some-id")


def test_an_object_has_what_may_be_told_of_a_request():
    request = RequestFactory().get("/history/?q=secret", HTTP_AUTHORIZATION="Bearer secret")
    said = logged("x", request=request, status_code=404)
    told = {name: said[name] for name in ("method", "path", "status", "account", "address")}
    assert list(told.values()) == ["GET", "/history/", 404, None, "127.0.0.1"]
    assert "secret" not in str(said)


def test_an_object_has_the_traceback():
    try:
        raise ValueError("wrong")
    except ValueError:
        said = logged("x", exc_info=sys.exc_info())
    assert said["traceback"].endswith("ValueError: wrong")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_form_is_a_setting(tmp_path, form):
    code = "import logging; logging.getLogger('digits').warning('a word')"
    words = ["shell", "--no-imports", "--command", code]
    done = run_manage(words, {"DATA_DIR": tmp_path, "LOG_FORMAT": form})
    line = done.stderr.strip().splitlines()[-1]
    assert (json.loads(line)["message"] if form == "json" else line.split(": ")[-1]) == "a word"


def test_another_form_is_refused(tmp_path):
    done = run_manage(["check"], {"DATA_DIR": tmp_path, "LOG_FORMAT": "xml"})
    assert "expected LOG_FORMAT to be one of text, json" in done.stderr
