"""The model that ships, and what was measured of it. No Keras is needed to look at it."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

BUNDLED_DIR = Path(__file__).parents[1] / "bundled"
BUNDLED_MODEL = BUNDLED_DIR / "digits.keras"
BUNDLED_METRICS = BUNDLED_DIR / "metrics.json"
VERIFIER = BUNDLED_DIR / "verifier.keras"
VERIFIER_FACTS = BUNDLED_DIR / "verifier.json"


class ModelError(RuntimeError):
    """A model file is missing, damaged, or is no digit model."""


def file_sha256(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bundle(model, metrics: dict, directory: Path) -> dict:
    """Write a model as digits.keras and its metrics as metrics.json, each whole or not at all.

    Returns:
        The metrics as written, with the file's SHA-256 and size in bytes.
    """
    return _write(model, metrics, directory / BUNDLED_MODEL.name, BUNDLED_METRICS.name)


def write_verifier(model, facts: dict, directory: Path) -> dict:
    """Write a verifier as verifier.keras, and how it was made as verifier.json, as write_bundle."""
    return _write(model, facts, directory / VERIFIER.name, VERIFIER_FACTS.name)


def _write(model, facts: dict, path: Path, facts_name: str) -> dict:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        model.save(draft)
        facts = {"sha256": file_sha256(draft), "bytes": draft.stat().st_size, **facts}
        os.replace(draft, path)
    write_metrics(facts, path.with_name(facts_name))
    return facts


def training_of(model: Path) -> dict:
    """Give how a model file was trained, by the metrics.json beside it, and the file's SHA-256."""
    sha256 = file_sha256(model)
    beside = model.with_name(BUNDLED_METRICS.name)
    metrics = json.loads(beside.read_text()) if beside.exists() else {}
    if metrics.get("sha256") != sha256:
        return {"sha256": sha256}
    kept = ("sha256", "recipe", "epochs", "training_seconds", "start")
    return {name: metrics[name] for name in kept if name in metrics}


def write_metrics(metrics: dict, path: Path):
    """Write figures as JSON, whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as draft:
        draft.write(json.dumps(metrics, indent=2) + "\n")
    os.chmod(draft.name, 0o644)
    os.replace(draft.name, path)
