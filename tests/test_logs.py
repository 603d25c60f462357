"""Lines of the log: one for each message, with the time in UTC."""

import logging
import logging.config
import re

from django.conf import settings

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
