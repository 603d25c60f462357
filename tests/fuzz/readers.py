"""What reads the files of strangers, each as one function of the file's bytes.

A reader returns nothing. It raises one of its errors, where the product tells the sender what is
wrong with the file; any other exception is a fault.
"""

import io
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import django
from django.apps import apps

from tests.bulks import idx
from tests.fuzz import corpus
from worker.files import datasets, exports, plans, results, tables
from worker.files.datasets import DatasetError
from worker.files.layouts import Layout
from worker.files.part_reading import Item, read_part
from worker.files.plans import BulkError, Limits
from worker.files.wrappings import Unwrapped
from worker.images.errors import ImageError
from worker.reading.bundle import ModelError
from worker.reading.engine import Engine
from worker.reading.reading import read_images


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    read: reads one, or raises one of the errors.
    errors: those that say what is wrong with a file.
    is_text: whether what is written in its files counts.
    """

    read: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    is_text: bool = False


@cache
def engine() -> Engine:
    return Engine()


def check_text(*texts: str) -> None:
    """Check that texts can be stored in any database and sent.

    Raises:
        AssertionError: one of them cannot.
    """
    for text in texts:
        assert "\0" not in text, f"expected no NUL, received {text!r}"
        text.encode()


def read_image(data: bytes) -> None:
    """Read an image as the site does: its form checks it, and a worker reads it."""
    refused = _refusal_of_form(data)
    (reading,) = read_images(engine(), [data])
    check_text(str(reading.error or ""), reading.text)
    if reading.error:
        raise ImageError(str(reading.error))  # that has no traceback with this frame in it
    if refused and data:
        raise AssertionError(f"expected the form to take what is read, received: {refused}")


def _refusal_of_form(data: bytes) -> str:
    _set_up_django()
    from django.core.exceptions import ValidationError
    from django.core.files.uploadedfile import SimpleUploadedFile

    from digits.forms import check_image

    try:
        check_image(SimpleUploadedFile("a.png", data))
    except ValidationError as error:
        check_text(*error.messages)
        return error.messages[0]
    return ""


def read_form(data: bytes) -> None:
    """Read a form as `/mnist/classify` does."""
    _set_up_django()
    from digits.views.program import checked_file

    file = checked_file(corpus.BOUNDARY, data)
    check_text(file.name or "")


def read_bulk(data: bytes) -> None:
    """Read a bulk as the site does: it is unpacked and planned, and a worker reads its parts."""
    try:
        with ExitStack() as opened:
            inside = plans.unwrapped(io.BytesIO(data), len(data), Limits(), opened)
            _read_planned(inside, inside.labels)
    except BulkError as error:
        check_text(str(error))
        raise


def read_labels(data: bytes) -> None:
    """Read labels of three images that are not changed."""
    _read_planned(Unwrapped(io.BytesIO(idx(corpus.mnist().images[:3]))), io.BytesIO(data))


def _read_planned(inside: Unwrapped, labels: BinaryIO | None) -> None:
    plan = plans.plan(inside, labels, Limits())
    check_text(*plan.layout.assumptions, json.dumps(plan.layout.as_json()))
    layout = Layout.from_json(json.loads(json.dumps(plan.layout.as_json())), plan.labelled)
    items: list[Item] = []
    for part in plan.parts:
        read = read_part(engine(), plan.kind, part, inside.file, labels, layout=layout)
        assert [item.number for item in read] == list(range(part.first, part.first + part.rows))
        items += read
    check_text(*(f"{item.name}{item.reading}{item.truth}{item.error}" for item in items))
    check_text(*results.detailed(items), *results.kaggle(items, plan.kind))


def read_dataset(data: bytes) -> None:
    """Read a local file as the commands do that take labelled digits, whatever it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        errors = []
        for read in (
            datasets.read_idx_images,
            datasets.read_idx_labels,
            tables.load_csv,
            lambda path: exports.export_images(path, Path(folder) / "images"),
        ):
            try:
                read(path)
            except DatasetError as error:
                check_text(str(error))
                errors.append(error)
        if len(errors) == 4:
            raise errors[0]


def read_model(data: bytes) -> None:
    """Load a model and its student as the process does that converts them."""
    from worker.reading import keras_models

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(data)
        keras_models.load_model(path)
        keras_models.load_student(path)


def read_planted(data: bytes) -> None:
    """Do what no reader may, so that the tests see that it is found: data is a number in digits."""
    match int(data):
        case 1:
            raise KeyError(data)
        case 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 5:
            time.sleep(3600)
        case 7:
            bytearray(400 * 1024 * 1024)[:] = b"x" * (400 * 1024 * 1024)
        case 9:
            end = time.process_time() + 2.1
            while time.process_time() < end:
                pass


def _set_up_django() -> None:
    if not apps.ready:
        django.setup()


def _errors_of_forms() -> tuple[type[Exception], ...]:
    from django.core.exceptions import BadRequest, SuspiciousOperation, ValidationError

    return ValidationError, BadRequest, SuspiciousOperation  # each is answered with 400


IMAGES = ("png", "jpeg", "webp", "gif", "bmp", "tiff", "heic", "avif")
READERS = {
    **{name: Reader(read_image, (ImageError,)) for name in IMAGES},
    "csv": Reader(read_bulk, (BulkError,), is_text=True),
    "idx": Reader(read_bulk, (BulkError,)),
    "labels": Reader(read_labels, (BulkError,)),
    "gzip": Reader(read_bulk, (BulkError,)),
    "numpy": Reader(read_bulk, (BulkError,)),
    "zip": Reader(read_bulk, (BulkError,)),
    "datasets": Reader(read_dataset, (DatasetError,), is_text=True),
    "forms": Reader(read_form, _errors_of_forms(), is_text=True),
    "model": Reader(read_model, (ModelError,)),
    "planted": Reader(read_planted, ()),
}
