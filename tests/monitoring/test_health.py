"""The health checks say what fails; tests/system shows them on a running site."""

import json
import os
import socket
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from digits.models import ModelVersion
from digits.models.uploads import Status
from digits.queue import heartbeats
from tests.factories import as_json, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(redis):
    """The sign of life of a worker process: this one."""
    host, pid = socket.gethostname(), os.getpid()
    sign = {"host": host, "pid": pid, "seen_at": 0, "device": "CPU", "version": 1}
    redis.set(f"{heartbeats.PREFIX}{host}:{pid}", json.dumps(sign))
    return sign


def test_alive_needs_nothing_else(client):
    assert client.get("/health/live").status_code == 200


def test_it_is_ready_with_all_its_parts(client, worker):
    answer = client.get("/health/ready")
    report = as_json(answer)
    assert answer.status_code == 200, report
    assert report["ready"] is True
    assert report["model"]["version"] == 1
    assert report["worker"]["processes"] == [worker]
    assert report["database"]["queued"] == 0


def test_strangers_are_told_no_more_than_what_fails(client, worker, settings, admin_client):
    brief = {"ready": True, "failing": []}
    assert as_json(client.get("/health/ready", REMOTE_ADDR="10.0.0.1")) == brief
    assert "worker" in as_json(admin_client.get("/health/ready", REMOTE_ADDR="10.0.0.1"))
    settings.HTTPS = True
    assert as_json(client.get("/health/ready")) == brief


def test_it_is_not_ready_without_a_worker(client, redis):
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert as_json(answer)["failing"] == ["worker"]
    assert "no worker process" in as_json(answer)["worker"]["error"]


def test_a_dead_process_is_no_worker(client, redis, worker):
    dead = worker | {"pid": 2**22 + 1}  # above the kernel's largest process id
    redis.flushall()
    redis.set(f"{heartbeats.PREFIX}dead", json.dumps(dead))
    assert as_json(client.get("/health/ready"))["failing"] == ["worker"]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_a_worker_that_finishes_nothing_is_not_well(client, worker, status):
    make_upload(status=status, created_at=timezone.now() - timedelta(minutes=5))
    report = as_json(client.get("/health/ready"))
    assert report["failing"] == ["worker"]
    assert "has been waiting for 300 s" in report["worker"]["error"]
    make_upload(status="done", finished_at=timezone.now())
    assert as_json(client.get("/health/ready"))["ready"]


def test_an_upload_that_no_sweep_frees_is_not_well(client, worker, settings):
    long_ago = timezone.now() - timedelta(seconds=3 * settings.SWEEP_SECONDS + 30)
    held = {"status": Status.RUNNING, "lease": uuid.uuid4(), "attempts": 1}
    stuck = make_upload(**held, lease_expires_at=timezone.now())
    assert client.get("/health/ready").status_code == 200
    stuck.lease_expires_at = long_ago
    stuck.save()
    report = client.get("/health/ready")
    assert report.status_code == 503
    assert "no sweep has freed the upload" in report.json()["worker"]["error"]


def test_it_is_not_ready_when_no_sweep_comes(client, worker, redis, settings):
    assert client.get("/health/ready").status_code == 200  # from now on it is counted
    late = float(redis.get(heartbeats.SWEPT)) - 3 * settings.SWEEP_SECONDS - 30
    redis.set(heartbeats.SWEPT, late)
    report = client.get("/health/ready")
    assert report.json()["failing"] == ["worker"]
    assert "look at beat" in report.json()["worker"]["error"]
    heartbeats.note_sweep()
    assert client.get("/health/ready").status_code == 200


def test_it_is_not_ready_without_an_active_version(client, worker):
    ModelVersion.objects.update(is_active=False)
    report = as_json(client.get("/health/ready"))
    assert report["failing"] == ["model"]
    assert report["model"]["error"] == "no model version is active"
