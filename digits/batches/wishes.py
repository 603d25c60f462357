"""What a sender says about a file's layout, in the fields of a form or of the API."""

from collections.abc import Mapping
from typing import Any

from worker.files.layouts import Layout, Wishes
from worker.files.plans import BulkError
from worker.files.wording import shown

FIELDS = ("label_column", "invert", "transpose", "scale")
LONGEST = 200
_SAID = {
    "": None,
    **dict.fromkeys(("yes", "true", "1", "on"), True),
    **dict.fromkeys(("no", "false", "0", "off"), False),
}


def from_fields(data: Mapping[str, Any]) -> Wishes:
    """Return what the fields say; those that are missing or blank are decided by the file.

    Raises:
        BulkError: a field has a value that it cannot have; its option is the field's name.
    """
    texts = {name: str(data.get(name) or "").strip() for name in FIELDS}
    for name, text in texts.items():
        if len(text) > LONGEST:
            raise BulkError(f"{name}: expected at most {LONGEST} characters.", name)
    return Wishes(
        label_column=texts["label_column"],
        invert=_said(texts, "invert"),
        transpose=_said(texts, "transpose"),
        scale=texts["scale"],
    )


def _said(texts: Mapping[str, str], name: str) -> bool | None:
    try:
        return _SAID[texts[name].lower()]
    except KeyError as error:
        received = shown(texts[name], 40)
        raise BulkError(f"{name}: expected yes or no, received “{received}”.", name) from error


def for_people(stored: dict[str, Any], labelled: bool) -> dict[str, Any] | None:
    """Return a job's layout for the API: columns count from 1; None for jobs from before 0.3.0."""
    if not stored:
        return None
    layout = Layout.from_json(stored, labelled)
    label = layout.label_column
    return {
        "label_column": None if label is None else label + 1,
        "left_out": [place + 1 for place in layout.left_out],
        "has_header": layout.has_header,
        "scale": [layout.low, layout.high],
        "invert": layout.invert,
        "transpose": layout.transpose,
        "assumptions": list(layout.assumptions),
    }
