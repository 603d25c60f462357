"""Errors are sent to a server that understands what Sentry does, and nothing else is."""

import json

import pytest

from tests.collector import Collector
from tests.site import run_manage

CODE = """
import logging

def fails():
    password = "hunter2"
    raise OSError("the disk is gone")

logging.getLogger("digits").info("ann signed in from %s", ".".join(["192", "0", "2", "7"]))
try:
    fails()
except OSError:
    logging.getLogger("digits").exception("a part could not be read")
"""


@pytest.fixture
def errors():
    with Collector() as collector:
        yield collector


def sent(collector: Collector) -> list[dict]:
    """Return the events that came, each the third line of its envelope."""
    return [
        json.loads(body.splitlines()[2])
        for path, body in collector.bodies
        if b'"type":"event"' in body.splitlines()[1].replace(b" ", b"") and "/envelope/" in path
    ]


def test_an_error_is_sent_with_its_traceback_and_nothing_of_people(errors, tmp_path):
    dsn = f"http://key@127.0.0.1:{errors.port}/1"
    done = run_manage(["shell", "-c", CODE], {"DATA_DIR": tmp_path, "SENTRY_DSN": dsn})
    assert done.returncode == 0, done.stderr
    (event,) = sent(errors)
    assert event["level"] == "error"
    assert event["release"]
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("OSError", "the disk is gone")
    assert error["stacktrace"]["frames"][-1]["function"] == "fails"
    assert "hunter2" not in json.dumps(error["stacktrace"]["frames"][-1].get("vars", {}))
    assert "192.0.2.7" not in json.dumps(event)


def test_nothing_is_sent_unless_it_is_asked_for(errors, tmp_path):
    done = run_manage(["shell", "-c", CODE], {"DATA_DIR": tmp_path})
    assert done.returncode == 0
    assert errors.bodies == []


def test_an_address_that_is_none_is_refused(tmp_path):
    done = run_manage(["check"], {"DATA_DIR": tmp_path, "SENTRY_DSN": "sentry"})
    assert done.returncode != 0
    assert "expected SENTRY_DSN to be an address" in done.stderr
