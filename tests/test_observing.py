"""Prometheus and Grafana in containers: their files fit each other, and ask for our metrics."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.prometheus import asked_for, metrics, needs_promtool, promtool
from tests.test_compose import BASE, ROOT, SCHEMA, merge, read

OBSERVE = read("docker-compose.observe.yml", GRAFANA_PASSWORD="secret")
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def mounted(service: str) -> dict[str, Path]:
    """The files and folders of ours in a container, by their paths there."""
    own = [one.split(":") for one in OBSERVE["services"][service]["volumes"] if one[0] == "."]
    return {there: ROOT / here for here, there, _ in own}


def test_it_follows_the_compose_specification_beside_the_site():
    jsonschema.validate(merge(BASE, OBSERVE), json.loads(SCHEMA.read_text()))
    assert not BASE["services"].keys() & OBSERVE["services"].keys()
    with pytest.raises(LookupError, match="GRAFANA_PASSWORD"):
        read("docker-compose.observe.yml", GRAFANA_PASSWORD="")


def test_prometheus_finds_its_files_its_token_and_the_site():
    ours, service = mounted("prometheus"), OBSERVE["services"]["prometheus"]
    (path,) = [word.split("=")[1] for word in service["command"] if "--config.file" in word]
    config = yaml.safe_load((ours["/etc/prometheus"] / Path(path).name).read_text())
    assert all((ours["/etc/prometheus"] / name).exists() for name in config["rule_files"])
    (job,) = config["scrape_configs"]
    (secret,) = service["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert OBSERVE["secrets"][secret] == {"environment": "METRICS_TOKEN"}
    (target,) = job["static_configs"][0]["targets"]
    name, port = target.split(":")
    web = BASE["services"][name]
    assert web["environment"]["PORT"] == port
    assert name in web["environment"]["ALLOWED_HOSTS"].split(",")


def test_grafana_finds_prometheus_and_the_dashboard():
    ours = mounted("grafana")
    provisioning = ours["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    (one,) = yaml.safe_load((provisioning / "dashboards/digits.yml").read_text())["providers"]
    assert ours[f"{one['options']['path']}/dashboard.json"].is_file()
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert used == {source["uid"]}


def lost(ours, theirs, at: str = "") -> list[str]:
    """Where something of ours is missing in theirs."""
    if isinstance(ours, dict):
        return [
            path
            for key, value in ours.items()
            for path in (
                lost(value, theirs[key], f"{at}/{key}") if key in theirs else [f"{at}/{key}"]
            )
        ]
    if isinstance(ours, list):
        pairs = zip(ours, theirs, strict=True)
        return [path for n, (a, b) in enumerate(pairs) for path in lost(a, b, f"{at}/{n}")]
    return [] if ours == theirs else [at]


def test_grafana_knows_all_that_the_dashboard_says():
    read_back = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))
    assert lost(DASHBOARD, read_back) == []
    wrong = DASHBOARD | {"panles": []}
    assert lost(wrong, json.loads(JSONEncoder().encode(Dashboard.from_json(wrong)))) == ["/panles"]


def test_each_panel_has_a_title_a_description_and_a_place_of_its_own():
    panels = DASHBOARD["panels"]
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len({panel["title"] for panel in panels}) == len(panels)


@pytest.mark.django_db
def test_each_panel_asks_for_metrics_that_there_are(redis):
    known = metrics().keys()
    for query in QUERIES:
        asked = asked_for(query)
        assert asked
        assert asked <= known


@needs_promtool
def test_prometheus_understands_each_query(tmp_path):
    rules = [
        {"record": f"query:{n}", "expr": query.replace("$__rate_interval", "5m")}
        for n, query in enumerate(QUERIES)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    said = promtool(tmp_path, "check", "rules", file.name)
    assert f"{len(QUERIES)} rules found" in said
