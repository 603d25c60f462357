"""Which corrections a training used, and the marks of versions whose corrections were withdrawn."""

import zlib
from collections import Counter
from collections.abc import Iterable

import numpy as np
from django.db import transaction

from digits.models import Correction, ModelVersion, TrainingRun, UsedCorrections
from digits.versions import warnings


def person(user: int | None, visitor: str) -> str:
    """Return a name for who made a correction: an account, a browser session, or somebody gone."""
    return f"u{user}" if user else f"v{visitor}" if visitor else "gone"


def packed(keys: Iterable[int]) -> bytes:
    """Return primary keys as a few bytes: most differ by little from the one before."""
    steps = np.diff(np.array(sorted(keys), "<i8"), prepend=0)
    return zlib.compress(steps.astype("<i8").tobytes(), 9)


def unpacked(stored: bytes | memoryview) -> list[int]:
    """Return the primary keys that were packed, in ascending order."""
    keys: list[int] = np.cumsum(np.frombuffer(zlib.decompress(stored), "<i8")).tolist()
    return keys


def store(run: TrainingRun, keys: list[int], people: Counter[str]) -> None:
    """Store what a run uses. One that goes on after a stop has used what it began with, too."""
    with transaction.atomic():
        before = UsedCorrections.objects.select_for_update().filter(run=run).first()
        if before is None:
            UsedCorrections.objects.create(run=run, keys=packed(keys), people=people)
            return
        before.keys = packed({*unpacked(before.keys), *keys})
        before.people = Counter(before.people) | people
        before.save(update_fields=["keys", "people"])


def withdrawn_of(run: TrainingRun) -> int:
    """Return how many of a run's corrections are withdrawn; hold that number in a transaction.

    What was withdrawn between their collection and their storing is found here.
    """
    used = UsedCorrections.objects.select_for_update().filter(run=run).first()
    if used is None:
        return 0
    keys = set(unpacked(used.keys))
    late = Correction.objects.filter(withdrawn_at__gte=run.data_until or run.created_at)
    found = late.values_list("pk", "user", "visitor").iterator(2000)
    people = {person(user, visitor) for pk, user, visitor in found if pk in keys}
    if new := people - {*used.withdrawn}:
        used.withdrawn = [*used.withdrawn, *sorted(new & used.people.keys())]
        used.save(update_fields=["withdrawn"])
    return used.withdrawn_count


def mark(who: str) -> list[ModelVersion]:
    """Mark the runs and versions that used a person's corrections; return these versions."""
    rows = UsedCorrections.objects.select_for_update(of=("self",)).defer("keys")
    found = [used for used in rows.select_related("run") if who in used.people]
    for used in found:
        if who not in used.withdrawn:
            used.withdrawn = [*used.withdrawn, who]
            used.save(update_fields=["withdrawn"])
        versions = ModelVersion.objects.filter(run=used.run_id)
        versions.update(withdrawn_corrections=used.withdrawn_count)
    warnings.refresh()
    marked = ModelVersion.objects.filter(run__in=[used.run_id for used in found])
    return list(marked.only("number").order_by("number"))


def versions_that_used(correction: Correction) -> list[ModelVersion]:
    """Return the versions whose trainings used a correction."""
    rows = UsedCorrections.objects.filter(run__version__isnull=False)
    runs = [used.run_id for used in rows.iterator() if correction.pk in unpacked(used.keys)]
    return list(ModelVersion.objects.filter(run__in=runs).only("number").order_by("number"))
