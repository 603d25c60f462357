"""The container files, held against the Compose specification and against the code they start."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from django.conf import settings

from digits.management.commands import up
from tests.site import environment, free_port
from webapp.celery import app

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SCHEMA = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
VARIABLE = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")


def interpolate(text: str, **values) -> str:
    """Put values in as Compose does; LookupError: a required one is missing."""

    def value(match):
        name, operator, rest = match.groups()
        if operator == "?" and not values.get(name):
            raise LookupError(f"{name}: {rest}")
        return values.get(name) or rest

    return VARIABLE.sub(value, text)


def read(name: str, **values) -> dict:
    return yaml.safe_load(interpolate((ROOT / name).read_text(), **values))


def merge(base, override):
    """As Compose does with mappings; the override holds no list for a service of the base."""
    if not isinstance(base, dict) or not isinstance(override, dict):
        return override
    return base | {
        key: merge(base[key], new) if key in base else new for key, new in override.items()
    }


BASE = read("docker-compose.yml", POSTGRES_PASSWORD="secret")
OVERRIDE = read("docker-compose.gpu.yml", POSTGRES_PASSWORD="secret")
MERGED = merge(BASE, OVERRIDE)
SERVICES, WITH_GPUS = BASE["services"], MERGED["services"]
BIN = Path(sys.executable).parent
TARGETS = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.M)
REQUIREMENTS = {
    "web": "requirements-web.txt",
    "worker": "requirements-worker.txt",
    "worker-gpu": "requirements-gpu.txt",
    "trainer": "requirements.txt",
}


def stage(name: str) -> str:
    """What the Dockerfile says of an image, and of those that it is built on, but for the first."""
    base = {target: base for base, target in TARGETS}[name]
    _, _, rest = DOCKERFILE.partition(f" AS {name}\n")
    return (stage(base) if base != "base" else "") + rest.partition("\nFROM ")[0]


STAGES = {name: stage(name) for name in REQUIREMENTS}


@pytest.mark.parametrize("project", [BASE, OVERRIDE, MERGED], ids=["base", "gpu", "merged"])
def test_it_follows_the_compose_specification(project):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(project)


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("web", "web"),
        ("classify", "classify worker"),
        ("trainer", "train worker"),
        ("beat", "beat"),
    ],
)
def test_it_starts_the_processes_that_up_starts(service, name):
    (ours,) = [found.command[1:] for found in up.services() if found.name == name]
    assert without_pidfile(SERVICES[service]["command"]) == ["python", *without_pidfile(ours)]


def test_it_takes_from_every_queue_of_the_celery_app():
    options = [word for service in SERVICES.values() for word in service.get("command", [])]
    taken = [word.partition("=")[2] for word in options if word.startswith("--queues=")]
    # Who takes from "classify" takes from the queue of its node's class, too.
    classes = {name for name in app.amqp.queues if name.startswith("classify.")}
    assert sorted(",".join(taken).split(",")) == sorted(app.amqp.queues.keys() - classes)


def test_its_file_for_gpus_gives_them_to_what_reads_and_changes_nothing_else():
    assert {name: own for name, own in WITH_GPUS.items() if name != "classify"} == {
        name: own for name, own in SERVICES.items() if name != "classify"
    }
    ours, cpu = WITH_GPUS["classify"], SERVICES["classify"]
    (device,) = ours["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert ours["environment"] == cpu["environment"] | {"GPUS": "0", "REQUIRE_GPU": "1"}
    differ = {"image", "build", "deploy", "environment"}
    assert {k: ours[k] for k in ours.keys() - differ} == {k: cpu[k] for k in cpu.keys() - differ}


def test_it_has_a_process_for_each_gpu():
    gpus = read("docker-compose.gpu.yml", GPUS="0,1,2,3")["services"]["classify"]["environment"]
    assert gpus["GPUS"] == "0,1,2,3"
    assert SERVICES["classify"]["environment"]["CLASSIFY_PROCESSES"] is None


@pytest.mark.parametrize("name", WITH_GPUS)
def test_it_waits_only_for_what_can_come(name):
    for needed, how in WITH_GPUS[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in WITH_GPUS[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert WITH_GPUS[needed]["restart"] == "no"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("postgres", "/var/lib/postgresql/data"), ("web", "/data")],
)
def test_it_keeps_data_on_a_named_volume(name, folder):
    volumes = dict(reversed(mount.split(":")) for mount in SERVICES[name]["volumes"])
    assert volumes[folder] in BASE["volumes"]


def test_it_shares_one_data_folder_among_all_that_run_digits():
    ours = [service for service in WITH_GPUS.values() if service["image"].startswith("digits")]
    assert len(ours) == 5
    for service in ours:
        assert service["volumes"] == [f"data:{service['environment']['DATA_DIR']}"]


def test_it_refuses_to_start_without_a_database_password():
    with pytest.raises(LookupError, match="POSTGRES_PASSWORD"):
        read("docker-compose.yml", POSTGRES_PASSWORD="")


def test_it_passes_on_every_knob_of_the_settings():
    source = (ROOT / "webapp/settings.py").read_text()
    readers = r"(?:env\.\w+|\b(?:number|rate|networks|bounds|one_of|issuer|word|prefix|bucket))"
    knobs = set(re.findall(rf'{readers}\(\s*"(\w+)"', source))
    elsewhere = {"GPUS", "REQUIRE_GPU", "ADMIN_PASSWORD"}
    assert SERVICES["web"]["environment"].keys() == knobs - elsewhere


def test_it_tells_the_admin_password_to_no_process_that_stays():
    names = [n for n, s in WITH_GPUS.items() if "ADMIN_PASSWORD" in s.get("environment", {})]
    assert names == ["migrate"]


@pytest.mark.parametrize(
    ("signs", "code"),
    [
        ([], 1),
        ([{"version": None}], 1),
        ([{"version": 3}], 0),
        ([{"version": None}, {"version": 3}], 0),
    ],
)
def test_it_calls_a_reader_healthy_that_has_loaded_a_model(redis, signs, code):
    from digits.queue.heartbeats import PREFIX

    redis.set(f"{PREFIX}another-host:1", json.dumps({"version": 3}))
    for pid, sign in enumerate(signs):
        redis.set(f"{PREFIX}{os.uname().nodename}:{pid}", json.dumps(sign))
    assert check("classify") == code


@pytest.mark.parametrize(("seconds", "code"), [(None, 1), (0, 0), (60, 0), (120, 1)])
def test_it_calls_a_trainer_unhealthy_that_does_no_sweeps(redis, seconds, code):
    from digits.queue import heartbeats

    if seconds is not None:
        heartbeats.note_sweep()
        redis.incrbyfloat(heartbeats.SWEPT, -seconds)
    assert check("trainer") == code


@pytest.mark.parametrize(("minutes", "code"), [(1, 0), (20, 1), (None, 1)])
def test_it_calls_beat_unhealthy_that_saves_no_schedule(tmp_path, minutes, code):
    if minutes is not None:
        schedule = tmp_path / "beat-schedule.db"
        schedule.touch()
        os.utime(schedule, (time.time() - minutes * 60,) * 2)
    assert check("beat", DATA_DIR=tmp_path) == code


def test_it_asks_the_web_server_for_a_page_that_answers(site):
    assert check("web", PORT=site.port) == 0
    assert check("web", PORT=free_port()) == 1


def test_it_calls_what_cannot_reach_redis_unhealthy():
    assert check("classify", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") == 1


def test_its_images_are_built_on_the_python_that_digits_needs():
    targets = {target for _, target in TARGETS}
    assert TARGETS[0] == ("python:3.11-slim", "base")
    assert {base for base, _ in TARGETS[1:]} <= targets


@pytest.mark.parametrize("project", [BASE, MERGED], ids=["base", "gpu"])
def test_each_service_has_an_image_of_its_kind(project):
    ours = [one for one in project["services"].values() if one["image"].startswith("digits")]
    for service in ours:
        assert service["image"] == f"digits-{service['build']['target']}"
        assert service["build"]["target"] in dict(map(reversed, TARGETS))


def test_its_containers_write_to_their_volume_alone_and_have_no_rights():
    for service in WITH_GPUS.values():
        if service["image"].startswith("digits"):
            assert service["read_only"]
            assert service["tmpfs"] == "/tmp"  # noqa: S108
            assert service["cap_drop"] == ["ALL"]
    for text in STAGES.values():
        users = re.findall(r"^USER (\S+)$", text, re.M)
        assert users == ["1000"]


def test_its_images_hold_all_that_runs(tmp_path):
    code = stage("code")
    assert all("COPY --from=code /app ./" in one for one in STAGES.values())
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", code, re.M):
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / target)
        assert f"!{source}" in (ROOT / ".dockerignore").read_text().split()
    command = [sys.executable, "manage.py", "check"]
    with_data = environment(DATA_DIR=tmp_path / "data")
    assert subprocess.run(command, cwd=tmp_path, env=with_data, check=False).returncode == 0


@pytest.mark.parametrize(("target", "name"), REQUIREMENTS.items())
def test_its_images_install_what_is_pinned_by_hashes(target, name):
    text = STAGES[target]
    assert re.search(rf"^COPY {name} (requirements.txt|\./)$", text, re.M)
    assert f"!{name}" in (ROOT / ".dockerignore").read_text().split()
    (command,) = re.findall(r"^RUN (pip .*)$", text, re.M)
    assert {"--require-hashes", "--only-binary=:all:"} < set(command.split())
    assert command.split()[-2:] == ["-r", "requirements.txt"]


@pytest.mark.parametrize(
    ("target", "service"), [("web", "web"), ("worker", "classify"), ("worker-gpu", "classify")]
)
def test_an_image_alone_does_what_its_service_does(target, service):
    (command,) = re.findall(r"^CMD (\[[^\]]*\])$", STAGES[target].replace("\\\n", ""), re.M)
    assert json.loads(command) == SERVICES[service]["command"]
    (probe,) = re.findall(r"^    CMD (\[[^\]]*\])$", STAGES[target], re.M)
    assert ["CMD", *json.loads(probe)] == SERVICES[service]["healthcheck"]["test"]


def test_docker_has_nothing_to_find_fault_with():
    done = subprocess.run([BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def check(service: str, **changes) -> int:
    """Run a health check as Docker does, in an environment that is changed; its exit status."""
    kind, python, *words = SERVICES[service]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    changed = {"REDIS_URL": settings.REDIS_URL} | {k: str(v) for k, v in changes.items()}
    command = [sys.executable, *words]
    ours = os.environ | changed
    return subprocess.run(command, env=ours, cwd=ROOT, capture_output=True, check=False).returncode


def without_pidfile(command: list[str]) -> list[str]:
    return [word for word in command if not word.startswith("--pidfile=")]
