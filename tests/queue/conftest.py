"""The clock of leases goes where time_machine goes: that of PostgreSQL's server would stay."""

import pytest
from django.utils import timezone

from digits.queue import clock


@pytest.fixture(autouse=True)
def travelling_clock(monkeypatch):
    monkeypatch.setattr(clock, "now", timezone.now)
