"""Prometheus's tool, and what its queries may ask for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from digits.monitoring.metrics import exposition

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool, of Prometheus, is not installed here"
)


def promtool(folder: Path, *words: str) -> str:
    """Run the tool in a folder, and return what it says; it must succeed."""
    done = subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metrics() -> dict[str, str]:
    """The names of our metrics, and their types."""
    families = text_string_to_metric_families(exposition().decode())
    return {family.name: family.type for family in families}


def asked_for(query: str) -> set[str]:
    """The names of our metrics in a query."""
    named = re.findall(r"digits_\w+", query)
    return {re.sub("_(total|bucket|sum|count)$", "", name) for name in named}
