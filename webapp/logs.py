"""The form of lines in the log."""

import logging
import time
from typing import Any

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


def _whose(record: logging.LogRecord) -> str:
    """Return of whom the request is that a record is about; empty where it is about none."""
    request: Any = getattr(record, "request", None)
    if not hasattr(request, "META"):
        return ""
    user = getattr(getattr(request, "owner", None), "user", None)
    who = f"account {user.pk}" if user else "no account"
    where = request.META.get("REMOTE_ADDR") or "a socket"
    return f" ({request.method}, {who}, {where})"
