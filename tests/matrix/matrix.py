"""Who may do what: tables of statuses, and the requests that they are about.

A table has a row for each request and a column for each kind of sender. A cell is the status of the
answer, `login` where it leads to a page for signing in, or - where there is nothing to ask.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import SimpleCookie
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

HERE = Path(__file__).parent
SECRET = "c" * 32  # of CSRF: what the cookie has, and the header as well
METHODS = ("GET", "POST")
Cells = dict[str, str]
Table = dict[str, Cells]


def read_table(text: str) -> Table:
    """Return the rows of a table; lines that begin with # say something about it."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    columns = lines[0].split()[1:]
    table: Table = {}
    for line in lines[1:]:
        method, path, *cells = line.split()
        row = f"{method} {path}"
        assert row not in table, f"{row} is twice in the table"
        assert len(cells) == len(columns), f"{row} has {len(cells)} cells, not {len(columns)}"
        table[row] = dict(zip(columns, cells, strict=True))
    return table


def written(table: Table) -> str:
    """Return the text of a table, to begin one with."""
    columns = list(next(iter(table.values())))
    rows = [["request", *columns], *([row, *cells.values()] for row, cells in table.items())]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns) + 1)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def patterns(within: Iterable | None = None, before: str = "/") -> Iterator[str]:
    """Yield the addresses of all URL patterns, as Django writes them."""
    for one in get_resolver().url_patterns if within is None else within:
        path = before + str(one.pattern).lstrip("^")
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns, path)
        elif isinstance(one, URLPattern):
            yield path


@dataclass
class Sender:
    """Somebody who sends requests: with a session, with a token, or with neither.

    has_csrf: whether it sends the CSRF token of its cookie.
    """

    user: object | None = None
    session: dict = field(default_factory=dict)
    bearer: str = ""
    has_csrf: bool = True

    def client(self) -> Client:
        """Return its client, with the cookies that it had at first."""
        client, cookies = self._first
        client.cookies = copy.deepcopy(cookies)
        return client

    @cached_property
    def _first(self) -> tuple[Client, SimpleCookie]:
        client = self._made()
        return client, copy.deepcopy(client.cookies)

    def _made(self) -> Client:
        client = Client(enforce_csrf_checks=True, raise_request_exception=True)
        if self.bearer:
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.bearer}"
            return client
        if self.user:
            client.force_login(self.user)
        elif self.session:
            session = client.session
            session.update(self.session)
            session.save()
        if self.has_csrf:
            client.cookies[settings.CSRF_COOKIE_NAME] = SECRET
            client.defaults["HTTP_X_CSRFTOKEN"] = SECRET
        return client


def status(client: Client, row: str, address: Callable[[str], str], body: dict) -> str:
    """Send the request of a row; what it changes is undone."""
    method, path = row.split()
    try:
        with transaction.atomic():
            answer = getattr(client, method.lower())(address(path), **body)
            found = str(answer.status_code)
            if re.match(r"(/accounts/login/|/admin/login/)", answer.headers.get("Location", "")):
                found = "login"
            if answer.streaming:
                b"".join(answer)  # to its end, where it closes its file
            raise _Undo
    except _Undo:
        return found


class _Undo(Exception):
    """So that a transaction changes nothing."""


def missing_rows(table: Table, rows: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the requests that have no row, and the rows whose request there is not."""
    expected = set(rows)
    return sorted(expected - set(table)), sorted(set(table) - expected)


def differences(table: Table, column: str, ask: Callable[[str], str]) -> list[str]:
    """Return what is not as a column of the table says, in words."""
    wrong = []
    for row, cells in table.items():
        if cells[column] != "-" and (found := ask(row)) != cells[column]:
            wrong.append(f"{row}, {column}: expected {cells[column]}, found {found}")
    return wrong
