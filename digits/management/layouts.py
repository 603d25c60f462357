"""The options of commands that say how a table is laid out, and what was assumed of it."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.batches import wishes
from worker.files.layouts import Layout, Wishes
from worker.files.plans import BulkError


def add_layout_options(parser: CommandParser) -> None:
    """Add --label-column, --invert, --transpose and --scale."""
    parser.add_argument(
        "--label-column",
        default="",
        metavar="COLUMN",
        help="of a CSV: first, last, none, a name, or a number from 1; none also where the names"
        " of folders in a ZIP are no labels",
    )
    for name, text in (
        ("invert", "whether high values are paper"),
        ("transpose", "whether pixels stand column by column, as EMNIST has them"),
    ):
        parser.add_argument(f"--{name}", choices=("yes", "no"), default="", help=text)
    parser.add_argument(
        "--scale",
        default="",
        metavar="VALUE",
        help="the value of full ink, as 255, or of paper and full ink, as --scale=-1..1",
    )


def wished(options: Mapping[str, Any]) -> Wishes:
    """Return what the options say about a table; what they do not say is decided by its rows."""
    try:
        return wishes.from_fields(options)
    except BulkError as error:
        raise CommandError(str(error)) from error


def print_assumptions(command: BaseCommand, layout: Layout) -> None:
    """Print what was assumed of a file, to standard error."""
    for one in layout.assumptions:
        command.stderr.write(f"Assumed: {one}")
