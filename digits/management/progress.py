"""A progress bar for commands, shown only on terminals."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(
    text: str, total: int | None, *, prints: bool = False
) -> Iterator[Callable[[float], None]]:
    """Show the progress towards a total; yield the function to call with each advance.

    prints: the command prints its results; if they go to the terminal, no bar is shown.
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
    """Return a line so that it replaces the bar on a terminal; the bar is drawn again below it."""
    return f"\r\033[K{text}" if sys.stderr.isatty() and sys.stdout.isatty() else text
