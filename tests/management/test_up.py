"""`manage.py up`: what the supervisor's own process does."""

import pytest

from digits.management.commands.up import Command


def test_a_line_that_cannot_be_written_ends_nothing():
    file = open("/dev/full", "w")  # noqa: SIM115  # it cannot be closed without an error
    Command(stdout=file).log("web ended")
    with pytest.raises(OSError, match="No space left on device"):
        file.close()  # the line is still to be written: it was tried
