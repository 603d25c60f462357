"""The data of a training run: the digits that people corrected."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import numpy as np
from django.utils import timezone

from digits.models import Digit, TrainingRun
from digits.models.training import RunStatus
from worker.files.datasets import Dataset

HELD_OUT = 10  # one correction in so many is kept for judging


class DataFacts(TypedDict):
    """The corrections of a run as its row stores them; `skipped` lists the first 100."""

    corrections: int
    held_out: int
    skipped: list[int]
    skipped_count: int
    sha256: str


@dataclass(frozen=True)
class Corrections:
    """The corrected digits, divided into those to learn from and those held out for judging.

    skipped: the primary keys of digits whose pixels cannot be used.
    sha256: that of all corrections, to compare the data of two runs.
    until: the time up to which corrections are included.
    """

    learned: Dataset
    held_out: Dataset
    skipped: list[int]
    sha256: str
    until: datetime

    def as_dict(self) -> DataFacts:
        return {
            "corrections": len(self.learned),
            "held_out": len(self.held_out),
            "skipped": self.skipped[:100],
            "skipped_count": len(self.skipped),
            "sha256": self.sha256,
        }


def collect() -> Corrections:
    """Collect all corrections. Which tenth is held out depends on the pixels alone."""
    until = timezone.now()
    rows = Digit.objects.filter(label__isnull=False).order_by("pk")
    kept: dict[bool, list[tuple[bytes, int]]] = {True: [], False: []}
    skipped: list[int] = []
    whole = hashlib.sha256()
    for pk, pixels, label in rows.values_list("pk", "pixels", "label").iterator(2000):
        pixels = bytes(pixels)
        if label is None or len(pixels) != 28 * 28 or not any(pixels):
            skipped.append(pk)
            continue
        own = hashlib.sha256(pixels).digest()
        whole.update(own + bytes([label]))
        kept[int.from_bytes(own[:4]) % HELD_OUT == 0].append((pixels, label))
    return Corrections(
        _dataset(kept[False]), _dataset(kept[True]), skipped, whole.hexdigest(), until
    )


def _dataset(rows: list[tuple[bytes, int]]) -> Dataset:
    images = np.frombuffer(b"".join(pixels for pixels, _ in rows), np.uint8).reshape(-1, 28, 28)
    return Dataset(images, np.array([label for _, label in rows], np.uint8))


def is_new(run: TrainingRun, found: Corrections) -> bool:
    """Return whether corrections were added, changed or withdrawn since the last training."""
    done = TrainingRun.objects.filter(status=RunStatus.DONE, version__isnull=False)
    last = done.exclude(pk=run.pk).order_by("-pk").first()
    if last is None:
        return len(found.learned) + len(found.held_out) > 0
    known: DataFacts = last.data
    return known.get("sha256") != found.sha256
