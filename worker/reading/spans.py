"""When a part of the work began and ended, for whoever wants to know: traces, for one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Span(NamedTuple):
    """A part of the work: its name, and when it began and ended, in nanoseconds since 1970."""

    name: str
    start: int
    end: int


_noted: ContextVar[list[Span] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[list[Span]]:
    """Note the spans of this thread meanwhile; yield the list that they come to, as they end."""
    spans: list[Span] = []
    token = _noted.set(spans)
    try:
        yield spans
    finally:
        _noted.reset(token)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Note how long something takes, where somebody wants to know."""
    spans = _noted.get()
    if spans is None:
        yield
        return
    start = time.time_ns()
    try:
        yield
    finally:
        spans.append(Span(name, start, time.time_ns()))
