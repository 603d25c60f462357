"""Alert rules: each fires and clears, asks for metrics that there are, and has an answer."""

import re
from pathlib import Path

import pytest
import yaml

from tests.prometheus import asked_for, metrics, needs_promtool, promtool

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


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration():
    assert f"{len(RULES)} rules found" in promtool(FOLDER, "check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool(FOLDER, "check", "config", "--syntax-only", "prometheus.yml")


@needs_promtool
def test_each_alert_fires_and_clears():
    assert "SUCCESS" in promtool(FOLDER, "test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_tested_before_while_and_after_it_fires(name):
    fires = [bool(test["exp_alerts"]) for test in TESTS if test["alertname"] == name]
    assert fires == [False, True, False]


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_an_answer(name):
    text = (ROOT / "docs" / "operate.md").read_text()
    assert re.search(rf"^\| `{name}` \| .{{10,}} \| .{{20,}} \|$", text, re.M)


@pytest.mark.django_db
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_each_alert_asks_for_metrics_that_there_are(rule, redis):
    asked = asked_for(rule["expr"])
    assert asked <= metrics().keys()
    assert asked or rule["alert"] == "DigitsDown"


@pytest.mark.django_db
def test_the_docs_name_each_metric_and_no_other(redis):
    text = (ROOT / "docs" / "operate.md").read_text()
    part = text.split("\n## Metrics\n")[1].split("\n### Alerts\n")[0]
    names = {f"{one}_total" if kind == "counter" else one for one, kind in metrics().items()}
    assert set(re.findall(r"`(digits_\w+)`", part)) == names
