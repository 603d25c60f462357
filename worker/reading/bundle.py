"""The model that ships, and its metrics. This module does not import Keras."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from worker.metrics import FileFacts, Metrics, TrainingFacts, VerifierFacts, VerifierTraining

if TYPE_CHECKING:
    import keras

BUNDLED_DIR = Path(__file__).parents[1] / "bundled"
BUNDLED_MODEL = BUNDLED_DIR / "digits.keras"
BUNDLED_METRICS = BUNDLED_DIR / "metrics.json"
# A model file may hold another one, of the model's student, beside Keras's own entries: one file is
# one version, and whoever loads it with Keras gets the model.
STUDENT = "student.keras"
VERIFIER = BUNDLED_DIR / "verifier.keras"
VERIFIER_FACTS = BUNDLED_DIR / "verifier.json"


class ModelError(RuntimeError):
    """A model file is missing, damaged, or is not a digit model."""


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_sha256(path: Path, expected: str | None) -> str:
    """Return the SHA-256 of a model file.

    Raises:
        ModelError: the file is missing, cannot be read, or does not have the expected one.
    """
    if not path.is_file():
        raise ModelError(f"the model file {path.name} is missing")
    try:
        received = file_sha256(path)
    except OSError as error:
        raise ModelError(f"the model file {path.name} cannot be read: {error.strerror}") from error
    if expected and received != expected:
        raise ModelError(
            f"the model file {path.name} was changed: expected SHA-256 {expected},"
            f" received {received}"
        )
    return received


def has_student(path: Path) -> bool:
    """Return whether a model file holds a student; False if it is no such file at all."""
    try:
        with zipfile.ZipFile(path) as archive:
            return STUDENT in archive.namelist()
    except Exception:  # zipfile raises many kinds for a damaged file
        return False


def write_bundle(
    model: "keras.Model", metrics: Metrics, directory: Path, student: "keras.Model | None" = None
) -> Metrics:
    """Write a model as digits.keras and its metrics as metrics.json, each whole or not at all.

    student: the model's student, which digits.keras is to hold.

    Returns:
        The metrics as written, with the file's SHA-256 and size in bytes.
    """
    file = write_model(model, directory / BUNDLED_MODEL.name, student)
    written: Metrics = {**file, **metrics}
    write_metrics(written, directory / BUNDLED_METRICS.name)
    return written


def write_verifier(model: "keras.Model", facts: VerifierTraining, directory: Path) -> VerifierFacts:
    """Write a verifier as verifier.keras, and how it was made as verifier.json, as write_bundle."""
    file = write_model(model, directory / VERIFIER.name)
    written: VerifierFacts = {**file, **facts}
    write_metrics(written, directory / VERIFIER_FACTS.name)
    return written


def write_model(
    model: "keras.Model", path: Path, student: "keras.Model | None" = None
) -> FileFacts:
    """Write a model, with its student where one is given, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        model.save(draft)
        if student is not None:
            student.save(Path(folder) / STUDENT)
            with zipfile.ZipFile(draft, "a") as archive:
                archive.write(Path(folder) / STUDENT, STUDENT)
        facts: FileFacts = {"sha256": file_sha256(draft), "bytes": draft.stat().st_size}
        os.replace(draft, path)
    return facts


def training_facts(model: Path) -> TrainingFacts:
    """Return how a model file was trained, by the metrics.json beside it, and its SHA-256."""
    sha256 = file_sha256(model)
    beside = model.with_name(BUNDLED_METRICS.name)
    metrics = json.loads(beside.read_text()) if beside.exists() else {}
    if metrics.get("sha256") != sha256:
        return {"sha256": sha256}
    facts = {name: metrics[name] for name in TrainingFacts.__annotations__ if name in metrics}
    return cast("TrainingFacts", facts)  # only its keys are in it


def write_metrics(metrics: Mapping[str, object], path: Path) -> None:
    """Write figures as JSON, whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as draft:
        draft.write(json.dumps(metrics, indent=2) + "\n")
    os.chmod(draft.name, 0o644)
    os.replace(draft.name, path)
