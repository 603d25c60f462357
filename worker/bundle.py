"""The model that ships, and what was measured of it. No Keras is needed to look at it."""

import hashlib
from pathlib import Path

BUNDLED_DIR = Path(__file__).parent / "bundled"
BUNDLED_MODEL = BUNDLED_DIR / "digits.keras"
BUNDLED_METRICS = BUNDLED_DIR / "metrics.json"


def file_sha256(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
