"""The data of a training run: the digits that people corrected whose word is learned from."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import numpy as np
from django.conf import settings

from digits.learning import trust, used
from digits.models import Correction, Digit, TrainingRun
from digits.models.training import RunStatus
from digits.queue import clock
from worker.files.datasets import Dataset

HELD_OUT = 10  # one correction in so many is kept for judging


class DataFacts(TypedDict):
    """The corrections of a run as its row stores them; `skipped` lists the first 100.

    left_out: labels of people whose word is not learned from.
    """

    corrections: int
    held_out: int
    skipped: list[int]
    skipped_count: int
    left_out: int
    sha256: str


@dataclass(frozen=True)
class Corrections:
    """The corrected digits, divided into those to learn from and those held out for judging.

    skipped: the primary keys of digits whose pixels cannot be used.
    left_out: how many labels are of people whose word is not learned from.
    sha256: that of all corrections, to compare the data of two runs.
    until: the time up to which corrections are included.
    keys, people: the primary keys of the corrections, and how many each person made.
    """

    learned: Dataset
    held_out: Dataset
    skipped: list[int]
    left_out: int
    sha256: str
    until: datetime
    keys: list[int]
    people: Counter[str]

    def as_dict(self) -> DataFacts:
        return {
            "corrections": len(self.learned),
            "held_out": len(self.held_out),
            "skipped": self.skipped[:100],
            "skipped_count": len(self.skipped),
            "left_out": self.left_out,
            "sha256": self.sha256,
        }


def collect() -> Corrections:
    """Collect the corrections of those whose word is learned from: see TRAIN_ON.

    Which tenth is held out depends on the pixels alone. A version is judged by the word of staff
    and of whom staff trusts; of what others said, that tenth is neither learned nor judged by.
    """
    until = clock.now()
    labels = Correction.objects.filter(is_current=True)
    rows = labels.filter(trust__in=settings.TRAIN_ON).order_by("digit")
    kept: dict[bool, list[tuple[bytes, int]]] = {True: [], False: []}
    skipped: list[int] = []
    keys: list[int] = []
    people: Counter[str] = Counter()
    whole = hashlib.sha256()
    fields = ("pk", "digit", "digit__pixels", "label", "trust", "user", "visitor")
    for pk, digit, pixels, label, word, user, visitor in rows.values_list(*fields).iterator(2000):
        pixels = bytes(pixels)
        if label is None or not _can_be_used(pixels):
            skipped.append(digit)
            continue
        own = hashlib.sha256(pixels).digest()
        is_held_out = int.from_bytes(own[:4]) % HELD_OUT == 0
        if is_held_out and word not in trust.JUDGES:
            continue
        whole.update(own + bytes([label]))
        kept[is_held_out].append((pixels, label))
        keys.append(pk)
        people[used.person(user, visitor)] += 1
    return Corrections(
        learned=_dataset(kept[False]),
        held_out=_dataset(kept[True]),
        skipped=skipped,
        left_out=labels.exclude(trust__in=settings.TRAIN_ON).count(),
        sha256=whole.hexdigest(),
        until=until,
        keys=keys,
        people=people,
    )


def everything() -> tuple[Dataset, list[int]]:
    """Return all labelled digits, whoever labelled them, and those whose pixels cannot be used."""
    kept: list[tuple[bytes, int]] = []
    skipped: list[int] = []
    rows = Digit.objects.filter(label__isnull=False).order_by("pk")
    for pk, pixels, label in rows.values_list("pk", "pixels", "label").iterator(2000):
        if label is not None and _can_be_used(bytes(pixels)):
            kept.append((bytes(pixels), label))
        else:
            skipped.append(pk)
    return _dataset(kept), skipped


def _can_be_used(pixels: bytes) -> bool:
    return len(pixels) == 28 * 28 and any(pixels)


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
