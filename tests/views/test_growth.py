"""Lists take no longer the more uploads there are: SQLite takes as many steps for a page."""

import pytest
from django.db import connection
from django.test import Client

from benchmarks.growth import PAGES, STAFF
from benchmarks.rows import add_rows, make_rows
from digits.admin import base
from digits.monitoring import tallies
from digits.uploads import history
from digits.views import versions

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL counts no steps"),
]
FEW, MANY = 1500, 6000


def steps(client, url: str) -> int:
    """How many steps SQLite's virtual machine takes for a page."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    connection.connection.set_progress_handler(step, 1)
    try:
        assert client.get(url).status_code == 200
    finally:
        connection.connection.set_progress_handler(None, 0)
    return taken


def settle():
    tallies.settle()
    tallies.settle()


def test_each_list_takes_as_many_steps_with_four_times_the_uploads(monkeypatch, redis):
    for module, most in ((history, 30), (versions, 100), (base, 60)):
        monkeypatch.setattr(module, "COUNTED", most)  # what the fewer have, too
    monkeypatch.setattr(tallies, "BLOCK", 500)
    account, staff = make_rows(FEW)
    clients = {"account": Client(), "staff": Client()}
    clients["account"].force_login(account)
    clients["staff"].force_login(staff)
    pages = [(who, url) for who in clients for url in PAGES.values()]
    pages += [("staff", url) for url in STAFF.values()]
    settle()
    few = {(who, url): steps(clients[who], url) for who, url in pages}
    add_rows(account, FEW, MANY)
    settle()
    many = {(who, url): steps(clients[who], url) for who, url in pages}
    grown = {page: many[page] / few[page] for page in pages if many[page] > 1.2 * few[page]}
    assert grown == {}
