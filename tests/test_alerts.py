"""Alert rules: each fires and clears, asks for metrics that there are, and has an answer."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from digits.monitoring.metrics import exposition

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
TESTS = [
    test
    for part in yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    for test in part["alert_rule_test"]
]
NAMES = [rule["alert"] for rule in RULES]
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool, of Prometheus, is not installed here"
)


def promtool(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration():
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml")


@needs_promtool
def test_each_alert_fires_and_clears():
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_tested_before_while_and_after_it_fires(name):
    fires = [bool(test["exp_alerts"]) for test in TESTS if test["alertname"] == name]
    assert fires == [False, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_an_answer(name):
    text = (ROOT / "docs" / "operation.md").read_text()
    assert re.search(rf"^\| `{name}` \| .{{10,}} \| .{{20,}} \|$", text, re.M)


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_each_alert_asks_for_metrics_that_there_are(rule, redis):
    families = text_string_to_metric_families(exposition().decode())
    known = {family.name for family in families}
    asked = set(re.findall(r"digits_\w+", rule["expr"]))
    assert {re.sub("_(total|bucket)$", "", name) for name in asked} <= known
    assert asked or rule["alert"] == "DigitsDown"


@pytest.mark.django_db
def test_the_docs_name_each_metric_and_no_other(redis):
    text = (ROOT / "docs" / "operation.md").read_text()
    part = text.split("\n## Metrics\n")[1].split("\n### Alerts\n")[0]
    families = text_string_to_metric_families(exposition().decode())
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert set(re.findall(r"`(digits_\w+)`", part)) == names
