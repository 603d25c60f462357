"""The files for Kubernetes, held against its schemas, the Compose file, and the code they start."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.prometheus import asked_for, metrics
from tests.test_compose import BASE, TARGETS, without_pidfile

ROOT = Path(__file__).parent.parent / "deploy" / "kubernetes"
FILES = sorted(ROOT.rglob("*.yaml"))
VERSION = "1.37"
OTHERS = {"kustomize.config.k8s.io", "keda.sh"}  # what Kubernetes itself does not know
SERVICES = {"web": "web", "classify": "classify", "classify-gpu": "classify", "trainer": "trainer"}
SERVICES |= {"beat": "beat"}
UNCHANGED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}


def documents(path: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


EVERY = [one for path in FILES for one in documents(path)]
WORKLOADS = {one["metadata"]["name"]: one for one in EVERY if one["kind"] in ("Deployment", "Job")}


def pod(name: str) -> dict:
    return WORKLOADS[name]["spec"]["template"]["spec"]


def containers(name: str) -> list[dict]:
    return [*pod(name).get("initContainers", []), *pod(name)["containers"]]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_it_follows_the_schemas_of_kubernetes(path):
    for one in documents(path):
        if one["apiVersion"].partition("/")[0] not in OTHERS:
            kubernetes_validate.validate(one, VERSION, strict=True)


def test_what_does_not_follow_them_is_found():
    wrong = WORKLOADS["web"] | {"spec": WORKLOADS["web"]["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("kustomization.yaml")), ids=named)
def test_a_kustomization_names_each_file_beside_it(path):
    (one,) = documents(path)
    beside = {other.name for other in path.parent.glob("*.yaml")} - {path.name}
    elsewhere = {name for name in one["resources"] if name.startswith("../")}
    assert {*one["resources"]} - elsewhere == beside
    assert all((path.parent / name / "kustomization.yaml").is_file() for name in elsewhere)
    known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"}
    assert one.keys() <= known | {"patches"}
    names = {image["name"] for image in one.get("images", [])}
    assert names <= {f"digits-{target}" for _, target in TARGETS}


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_it_starts_what_docker_compose_starts(name, service):
    (container,) = pod(name)["containers"]
    theirs = BASE["services"][service]["command"]
    assert without_pidfile(container["command"]) == without_pidfile(theirs)
    if name != "classify-gpu":
        assert container["image"] == BASE["services"][service]["image"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"web"}))
def test_its_health_checks_are_those_of_docker_compose(name):
    (container,) = pod(name)["containers"]
    _, *words = BASE["services"][SERVICES[name]]["healthcheck"]["test"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == words


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_has_no_rights_and_writes_to_its_own_folders_alone(name):
    own = pod(name)
    assert own["securityContext"]["runAsNonRoot"]
    assert own["automountServiceAccountToken"] is False
    assert [volume.keys() for volume in own["volumes"]] == [{"name", "emptyDir"}] * 2
    for container in containers(name):
        assert UNCHANGED.items() <= container["securityContext"].items()
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_has_the_time_to_end_what_it_has_begun(name):
    grace = BASE["services"][SERVICES[name]].get("stop_grace_period", "10s").removesuffix("s")
    assert pod(name)["terminationGracePeriodSeconds"] >= int(grace)


def test_what_there_are_several_of_is_kept_while_nodes_are_drained_and_grows():
    kinds = {kind: set() for kind in ("PodDisruptionBudget", "HorizontalPodAutoscaler")}
    for one in EVERY:
        kinds.get(one["kind"], set()).add(one["metadata"]["name"] if "metadata" in one else "")
    assert kinds["PodDisruptionBudget"] == {"web", "classify", "classify-gpu"}
    assert kinds["HorizontalPodAutoscaler"] == {"web", "classify"}


def test_its_settings_are_those_of_digits():
    lines = (ROOT / "base" / "settings.env").read_text().split()
    names = {line.partition("=")[0] for line in lines}
    assert names <= BASE["services"]["web"]["environment"].keys()


@pytest.mark.django_db
def test_it_scales_by_a_figure_that_digits_has(redis):
    (scaled,) = documents(ROOT / "keda" / "classify-by-age.yaml")
    (trigger,) = scaled["spec"]["triggers"]
    asked = asked_for(trigger["metadata"]["query"])
    assert asked
    assert asked <= metrics().keys()
    assert scaled["spec"]["scaleTargetRef"]["name"] in WORKLOADS
