"""Warnings: versions whose corrections were withdrawn, and those that were tuned from them."""

from typing import NamedTuple

from digits.models import ModelVersion


class _Origin(NamedTuple):
    """What a version was made of; `tuned_from` is None for one that was trained from scratch."""

    number: int
    withdrawn: int
    tuned_from: int | None
    warning: str


def refresh() -> None:
    """Store the warning of each version, within the transaction that changes what it tells."""
    fields = ("pk", "number", "withdrawn_corrections", "parent", "warning", "run__from_scratch")
    origins = {
        pk: _Origin(number, withdrawn, None if from_scratch else parent, warning)
        for pk, number, withdrawn, parent, warning, from_scratch in (
            ModelVersion.objects.values_list(*fields)
        )
    }
    for pk, own in origins.items():
        warning = _warning(origins, own)
        if warning != own.warning:
            ModelVersion.objects.filter(pk=pk).update(warning=warning)


def _warning(origins: dict[int, _Origin], own: _Origin) -> str:
    if own.withdrawn:
        corrections = "correction" if own.withdrawn == 1 else "corrections"
        return f"It was trained on {own.withdrawn} {corrections} that staff withdrew later."
    before = own.tuned_from and origins.get(own.tuned_from)
    while before:
        if before.withdrawn:
            return (
                f"It was tuned from version {before.number}, which was trained on corrections that"
                " staff withdrew later."
            )
        before = before.tuned_from and origins.get(before.tuned_from)
    return ""
