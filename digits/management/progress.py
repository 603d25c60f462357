"""A progress bar for commands: on a terminal only, beside what they print."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(
    text: str, total: int | None, *, prints: bool = False
) -> Iterator[Callable[[float], None]]:
    """Show how much of a total is done; yield the function to call with each advance.

    A command that prints what it reads needs no bar where that is seen.
    """
    if not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(text, total=total)
        yield lambda count: shown.advance(task, count)


def above_bar(text: str) -> str:
    """Give a line for the terminal that shows a bar: the bar makes room, and goes on below it."""
    return f"\r\033[K{text}" if sys.stderr.isatty() and sys.stdout.isatty() else text
