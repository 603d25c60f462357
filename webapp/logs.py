"""The form of lines in the log."""

import json
import logging
import time
from typing import Any

from celery import current_task

from digits import tracing

# A line that ends within an address or a name would let its sender write lines of its own.
ENDS_OF_LINES = str.maketrans(
    {sign: repr(sign)[1:-1] for sign in "\n\r\v\f\x1b\x1c\x1d\x1e\x85\u2028\u2029"}
)


class Line(logging.Formatter):
    """One line for each message, with the time in UTC; only a traceback has more lines.

    What is said of a request tells whose it was, and where it came from.
    """

    converter = time.gmtime  # type: ignore[assignment]  # its own default differs, too
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        message = record.message
        record.message = f"{message}{_whose(record)}".translate(ENDS_OF_LINES)
        line = super().formatMessage(record)
        record.message = message  # for other handlers
        return line


class Object(Line):
    """One JSON object for each message, for programs that collect logs.

    Beside what a line says, it has the ids of the rows that the message is about ("upload": 7), the
    Celery task that it comes from, of a request the method, path, status, account and address, and
    the trace that it belongs to.
    """

    def format(self, record: logging.LogRecord) -> str:
        rows = _rows(record)
        fields = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **{row._meta.model_name: row.pk for row in rows},
            **_task(),
            **_request(record),
        }
        if trace := tracing.trace_id(rows):
            fields["trace"] = trace
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)  # in ASCII: no sign in it ends a line


def _rows(record: logging.LogRecord) -> list[Any]:
    """Return the rows that a message names."""
    named = record.args if isinstance(record.args, tuple) else ()
    return [one for one in named if hasattr(one, "_meta") and hasattr(one, "pk")]


def _task() -> dict[str, Any]:
    """Return the Celery task that is worked on by this thread."""
    if not current_task:
        return {}
    return {"task": current_task.name, "task_id": current_task.request.id}


def _request(record: logging.LogRecord) -> dict[str, Any]:
    """Return what is told of the request that a record is about; neither query nor headers."""
    request = _request_of(record)
    if request is None:
        return {}
    user = _user(request)
    return {
        "method": request.method,
        "path": request.path,
        "status": getattr(record, "status_code", None),
        "account": user.pk if user else None,
        "address": _address(request),
    }


def _whose(record: logging.LogRecord) -> str:
    """Return of whom the request is that a record is about; empty where it is about none."""
    request = _request_of(record)
    if request is None:
        return ""
    user = _user(request)
    who = f"account {user.pk}" if user else "no account"
    return f" ({request.method}, {who}, {_address(request)})"


def _request_of(record: logging.LogRecord) -> Any:
    """Return the request that a record is about; None where it is about none."""
    request = getattr(record, "request", None)
    return request if hasattr(request, "META") else None


def _user(request: Any) -> Any:
    return getattr(getattr(request, "owner", None), "user", None)


def _address(request: Any) -> str:
    return request.META.get("REMOTE_ADDR") or "a socket"
