"""Example values for requests and responses, made from the schema."""

from typing import Any

Schema = dict[str, Any]
SCHEMAS = "#/components/schemas/"
# Example values by field name; values made from the types alone would explain nothing.
VALUES = {
    "id": 12,
    "upload": 12,
    "name": "photo.jpg",
    "file": "photo.jpg",
    "status": "done",
    "source": "api",
    "reading": "7",
    "confidence": 0.991,
    "warnings": [],
    "probability": 0.991,
    "before": "",
    "after": "",
    "read_as": 7,
    "label": 7,
    "version": 1,
    "number": 1,
    "width": 28,
    "height": 28,
    "x": 6,
    "y": 7,
    "progress": 1.0,
    "total": 28000,
    "done": 28000,
    "is_active": True,
    "architecture": "cnn",
    "mnist_accuracy": 0.9972,
    "note": "ships with Digits",
    "sha256": "2134d07c9fad905c1f08e765544cfd3caab628fdc308eee66fe017218f135f84",
    "activate_if_better": True,
    "settings": {"learning_rate": 0.0002},
    "epoch": 4,
    "epochs": 4,
    "outcome": "better, and active",
    "log": ["Queued.", "Started."],
    "curves": [{"loss": 0.021, "val_loss": 0.019}],
    "created_at": "2026-11-25T12:00:00Z",
    "started_at": "2026-11-25T12:00:00Z",
    "finished_at": "2026-11-25T12:00:01Z",
    "labelled_at": "2026-11-25T12:01:00Z",
    "page": "http://127.0.0.1:8000/uploads/12/",
    "Box.width": 16,
    "Box.height": 20,
    "Batch.name": "test.csv",
    "Batch.page": "http://127.0.0.1:8000/batches/12/",
    "Batch.results": "http://127.0.0.1:8000/api/v1/batches/12/results.csv",
    "Batch.confusion": [],
    "Batch.unlabelled": 0,
    "Layout.label_column": 1,
    "Layout.left_out": [],
    "Layout.has_header": True,
    "Layout.scale": [0.0, 1.0],
    "Layout.assumptions": ["Values from 0 to 1 are taken for paper to full ink (scale 1)."],
    "BatchFilesRequest.file": "test.csv",
    "Problem.type": "about:blank",
    "Problem.title": "Bad Request",
    "Problem.status": 400,
    "Problem.detail": "No file was submitted.",
    "ProblemError.field": "file",
    "ProblemError.message": "No file was submitted.",
}


def referred(own: Schema) -> str:
    """Return the name of the schema that a part refers to; empty if it refers to none."""
    reference: str = own.get("$ref", "")
    return reference.removeprefix(SCHEMAS)


def resolved(own: Schema, schema: Schema) -> Schema:
    """Return the part itself, or the schema that it refers to."""
    name = referred(own)
    found: Schema = schema["components"]["schemas"][name] if name else own
    return found


def sample(own: Schema, schema: Schema, name: str = "", parent: str = "") -> Any:
    """Make a value that a part of the schema allows.

    Args:
        own: the part.
        schema: the whole, where references lead.
        name: the name of the field that the value is for.
        parent: the name of the schema that the field belongs to.
    """
    for known in (f"{parent}.{name}", name):
        if known in VALUES:
            return VALUES[known]
    parent = referred(own) or parent
    own = resolved(own, schema)
    if variants := own.get("oneOf") or own.get("allOf"):
        return sample(variants[0], schema)
    types = own.get("type", "string")
    if types == "object":
        properties = own.get("properties", {})
        return {key: sample(one, schema, key, parent) for key, one in properties.items()}
    if types == "array":
        return [sample(own["items"], schema)]
    if isinstance(types, list):
        return None
    if "enum" in own:
        return own["enum"][0]
    return {"integer": 0, "number": 0.0, "boolean": False}.get(types, "")
