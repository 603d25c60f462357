"""Lists take no longer the more uploads there are: SQLite takes as many steps for a page."""

import pytest
from django.db import connection
from django.test import Client

from benchmarks.growth import PAGES, STAFF
from benchmarks.rows import add_rows, make_rows
from digits.admin import base
from digits.monitoring import health, tallies
from digits.queue import leases
from digits.tasks import sweep
from digits.uploads import history, queue
from digits.views import versions
from tests.factories import make_upload

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL counts no steps"),
]
FEW, MANY = 1500, 6000


def steps_of(do) -> int:
    """How many steps SQLite's virtual machine takes meanwhile."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    connection.connection.set_progress_handler(step, 1)
    try:
        do()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return taken


def steps(client, url: str) -> int:
    """How many steps a page takes."""

    def look():
        assert client.get(url).status_code == 200

    return steps_of(look)


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


def claim_and_release():
    leases.release(*queue.claim())


# What is done many times a second, every few seconds, or whenever a monitor asks.
ROUTINE = {
    "count": lambda: queue.count(64),
    "claim": claim_and_release,
    "sweep": sweep,
    "health": health.check,
}


def test_routine_takes_as_many_steps_with_four_times_the_uploads(redis):
    account, _ = make_rows(FEW)
    make_upload(user=account)
    few = {name: steps_of(do) for name, do in ROUTINE.items()}
    add_rows(account, FEW, MANY)
    many = {name: steps_of(do) for name, do in ROUTINE.items()}
    assert {name: many[name] for name in ROUTINE if many[name] > 1.2 * few[name]} == {}
