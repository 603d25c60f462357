"""`manage.py evaluate [SOURCE ...]`: how well a model reads labelled images."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from digits.management.layouts import add_layout_options, print_assumptions, wished
from digits.management.progress import progress
from digits.tasks import serving
from worker.files.datasets import DatasetError
from worker.metrics import Figures
from worker.reading.bundle import ModelError

if TYPE_CHECKING:
    from worker.reading.engine import Engine

COLUMNS = (
    ("images", "images", "{:,}"),
    ("accuracy", "right", "{:.2%}"),
    ("probable_right", "most probable right", "{:.2%}"),
    ("digits_right", "digits right", "{:.2%}"),
    ("digits_false", "false digits", "{:,}"),
    ("accepted", "accepted", "{:.2%}"),
    ("calibration_error", "calibration error", "{:.2%}"),
)


class Command(BaseCommand):
    help = (
        "Read labelled images with the active model version, or with the model that ships if"
        " there is no database yet, and report how many are right. Without a SOURCE: MNIST's test"
        " images, once as pixels through the network and once as files through the whole path."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "sources",
            nargs="*",
            metavar="SOURCE",
            help="a folder of images named <digits>_anything.png (12-34_... for two lines, _... for"
            " none), an IDX file of images with its labels beside it, an NPZ with its labels, or a"
            " CSV of a label and 784 pixels a row; NAME=PATH gives it a name in the table",
        )
        parser.add_argument(
            "--not-digits",
            action="append",
            default=[],
            metavar="SOURCE",
            help="a source without digits; its labels are ignored; may be repeated",
        )
        parser.add_argument("--model", type=Path, help="read with this .keras file")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument("--plots", type=Path, metavar="DIR", help="draw plots in this folder")
        parser.add_argument(
            "--metrics",
            type=Path,
            metavar="FILE",
            help="keep the figures in this metrics.json, with the report on MNIST's test images"
            " that a version's page shows",
        )
        add_layout_options(parser)

    def handle(
        self,
        *,
        sources: list[str],
        not_digits: list[str],
        model: Path | None,
        plots: Path | None,
        metrics: Path | None,
        **options: Any,
    ) -> None:
        from worker.evaluation import scoring

        wishes = wished(options)
        wanted = [(*_named(text), True) for text in sources]
        wanted += [(*_named(text), False) for text in not_digits]
        if missing := [str(path) for _, path, _ in wanted if not path.exists()]:
            raise CommandError(f"no such file or folder: {', '.join(missing)}")
        try:
            engine = serving.local_engine(model)
            with progress("reading files", None) as advance:
                answers = (
                    {
                        name: scoring.load_answers(
                            engine,
                            path,
                            holds_digits,
                            advance,
                            wishes,
                            partial(print_assumptions, self),
                        )
                        for name, path, holds_digits in wanted
                    }
                    if wanted
                    else scoring.answers_of_mnist(engine, advance)
                )
        except (ModelError, DatasetError) as error:
            raise CommandError(str(error)) from error
        figures = {name: scoring.figures(given) for name, given in answers.items()}
        if metrics:
            _keep(metrics, figures, engine)
        if plots:
            from worker.evaluation.plots import draw_evaluation

            for name, given in answers.items():
                draw_evaluation(given, plots / name)
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
        else:
            self.show(figures)

    def show(self, figures: Mapping[str, Mapping[str, object]]) -> None:
        rows = [["", *(title for _, title, _ in COLUMNS)]]
        for name, own in figures.items():
            shown = ["-" if own[key] is None else form.format(own[key]) for key, _, form in COLUMNS]
            rows.append([name, *shown])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.stdout.write("  ".join(cells).rstrip())


def _named(text: str) -> tuple[str, Path]:
    """Return the name and the path of NAME=PATH; a path alone is named by its last part."""
    name, found, path = text.partition("=")
    if found and not Path(text).exists():
        return name, Path(path)
    return Path(text).name, Path(text)


def _keep(path: Path, figures: dict[str, Figures], engine: "Engine") -> None:
    if not path.is_file():
        raise CommandError(f"no such file: {path}")
    from worker.evaluation.judging import judge_alone
    from worker.reading.bundle import write_metrics

    kept = json.loads(path.read_text())
    answers = kept.get("evaluation", {}) | figures
    write_metrics(kept | {"evaluation": answers, "report": judge_alone(engine)}, path)
