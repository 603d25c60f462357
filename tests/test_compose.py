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
from string import Template

import jsonschema
import pytest
import yaml
from django.conf import settings

from digits.management.commands import up
from tests.site import environment
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
OF_A_GPU = ("GPUS", "REQUIRE_GPU", "CLASSIFY_PROCESSES")
GPU_WORKERS = sorted(WITH_GPUS.keys() - SERVICES.keys())


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
    assert sorted(",".join(taken).split(",")) == sorted(app.amqp.queues)


def test_it_gives_each_gpu_worker_one_gpu_of_its_own():
    devices = [
        WITH_GPUS[name]["deploy"]["resources"]["reservations"]["devices"] for name in GPU_WORKERS
    ]
    assert devices == [
        [{"driver": "nvidia", "device_ids": [str(number)], "capabilities": ["gpu"]}]
        for number in range(2)
    ]


@pytest.mark.parametrize("name", GPU_WORKERS)
def test_its_gpu_worker_is_the_classify_worker_on_gpu_0_of_its_container(name):
    ours, cpu = WITH_GPUS[name], SERVICES["classify"]
    assert {"GPUS": "0", "REQUIRE_GPU": "1"}.items() <= ours["environment"].items()
    environments = [
        {knob: value for knob, value in service["environment"].items() if knob not in OF_A_GPU}
        for service in (ours, cpu)
    ]
    assert environments[0] == environments[1]
    differ = {"image", "build", "deploy", "environment"}
    assert {k: ours[k] for k in ours.keys() - differ} == {k: cpu[k] for k in cpu.keys() - differ}


def test_it_reads_on_no_cpu_where_gpus_read():
    assert WITH_GPUS["classify"]["deploy"]["replicas"] == 0


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
    assert len(ours) == 7
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


@pytest.mark.parametrize(("minutes", "code"), [(1, 0), (20, 1)])
def test_it_calls_beat_unhealthy_that_saves_no_schedule(tmp_path, minutes, code):
    schedule = tmp_path / "beat-schedule.db"
    schedule.touch()
    os.utime(schedule, (time.time() - minutes * 60,) * 2)
    assert check("beat", "/data", str(tmp_path)) == code


def test_it_asks_the_web_server_for_a_page_that_answers(site):
    assert check("web", "localhost:8000", f"localhost:{site.port}") == 0
    assert check("web", "localhost:8000/health", f"localhost:{site.port}/no-such-page") == 1


def test_its_image_has_the_python_that_digits_needs():
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.M) == ["python:3.11-slim"]


def test_its_image_holds_all_that_runs(tmp_path):
    for source, target in copied():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / target)
        assert f"!{source}" in (ROOT / ".dockerignore").read_text().split()
    command = [sys.executable, "manage.py", "check"]
    with_data = environment(DATA_DIR=tmp_path / "data")
    assert subprocess.run(command, cwd=tmp_path, env=with_data, check=False).returncode == 0


def test_its_images_install_what_is_pinned_by_hashes():
    (gpu,) = {tuple(WITH_GPUS[name]["build"]["args"].items()) for name in GPU_WORKERS}
    assert ("requirements.txt", "requirements.txt") in copied()
    assert ("requirements-gpu.txt", "requirements.txt") in copied(**dict(gpu))
    assert "!requirements-gpu.txt" in (ROOT / ".dockerignore").read_text().split()
    (command,) = re.findall(r"^RUN (pip (?:[^\\\n]|\\\n)*)$", DOCKERFILE, re.M)
    assert "--require-hashes" in command.split()
    assert command.split()[-2:] == ["-r", "requirements.txt"]


def copied(**arguments) -> list[tuple[str, str]]:
    """What the Dockerfile copies, from where to where, with build arguments."""
    values = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.M))
    assert arguments.keys() <= values.keys()
    text = Template(DOCKERFILE).safe_substitute(values | arguments)
    return re.findall(r"^COPY (\S+) (\S+)$", text, re.M)


def check(service: str, old: str = "", new: str = "") -> int:
    """Run a health check as Docker does, with one word of it changed; its exit status."""
    kind, *words = SERVICES[service]["healthcheck"]["test"]
    words = [word.replace(old, new) if old else word for word in words]
    command = ["sh", "-c", *words] if kind == "CMD-SHELL" else [sys.executable, *words[1:]]
    with_redis = os.environ | {"REDIS_URL": settings.REDIS_URL}
    return subprocess.run(command, env=with_redis, capture_output=True, check=False).returncode


def without_pidfile(command: list[str]) -> list[str]:
    return [word for word in command if not word.startswith("--pidfile=")]
