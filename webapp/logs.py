"""The form of lines in the log."""

import logging
import time

# A line that ends within an address or a name would let its sender write lines of its own.
ENDS_OF_LINES = str.maketrans(
    {sign: repr(sign)[1:-1] for sign in "\n\r\v\f\x1b\x1c\x1d\x1e\x85\u2028\u2029"}
)


class Line(logging.Formatter):
    """One line for each message, with the time in UTC; only a traceback has more lines."""

    converter = time.gmtime  # type: ignore[assignment]  # its own default differs, too
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.translate(ENDS_OF_LINES)
        return super().formatMessage(record)
