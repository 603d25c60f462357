"""Classes of nodes: every node reads uploads; bulk jobs are for GPUs where there are any."""

import json
import subprocess
import sys
import time

import pytest

from digits.batches import parts
from digits.queue import heartbeats, nodes, wake_ups
from digits.queue.nodes import NodeClass
from digits.uploads import queue, rereading
from tests.site import ROOT, environment
from webapp.celery import app

TAKES = """
import sys
from webapp.celery import app
class Stop(Exception): pass
from celery import signals
@signals.worker_init.connect
def look(**_):
    print(sorted(app.amqp.queues.consume_from), app.conf.worker_concurrency)
    sys.stdout.flush()
    sys.exit(0)
app.worker_main(["worker", "--queues=" + sys.argv[1]])
"""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """What a test before knew is not known, and what is alive is looked up each time."""
    monkeypatch.setattr(nodes, "alive", type(nodes.alive)())
    monkeypatch.setattr(nodes, "KNOWN_SECONDS", 0)


def beat(redis, device: str) -> None:
    """Leave a sign of life of a process on another node."""
    sign = {"host": "other", "pid": 1, "seen_at": time.time(), "device": device, "version": 1}
    redis.set(f"{heartbeats.PREFIX}other:1", json.dumps(sign))


def lengths(redis) -> dict[str, int]:
    names = [one.name for one in app.conf.task_queues]
    return {name: count for name in names if (count := redis.llen(name))}


@pytest.mark.parametrize("task", [parts.TASK, rereading.TASK])
@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("CPU", "classify.cpu"),
        ("GPU 0", "classify.gpu"),
        ("CPU (GPU 0 cannot be used)", "classify.cpu"),
    ],
)
def test_what_has_time_goes_to_gpus_where_one_is_alive(redis, task, device, name):
    beat(redis, device)
    assert wake_ups.send(task)
    assert lengths(redis) == {name: 1}


@pytest.mark.parametrize("device", ["CPU", "GPU 0"])
def test_uploads_go_to_whoever_is_free(redis, device):
    beat(redis, device)
    assert wake_ups.send(queue.TASK)
    assert lengths(redis) == {"classify": 1}


def test_what_waited_for_a_gpu_that_died_is_sent_to_processors(redis):
    beat(redis, "GPU 0")
    wake_ups.send(parts.TASK)
    redis.delete(f"{heartbeats.PREFIX}other:1")
    wake_ups.send(parts.TASK, force=True)  # as the sweep does
    assert lengths(redis) == {"classify.gpu": 1, "classify.cpu": 1}


def test_without_redis_nothing_is_sent(redis_down):
    assert not wake_ups.send(parts.TASK, force=True)


@pytest.mark.parametrize(
    ("gpus", "queues", "taken"),
    [
        ("", "classify", "['classify', 'classify.cpu'] 1"),
        ("0,1,2,3", "classify", "['classify', 'classify.cpu', 'classify.gpu'] 4"),
        ("0,1", "train,maintenance", "['maintenance', 'train'] 2"),
    ],
)
def test_a_worker_takes_what_is_for_its_class(tmp_path, redis_server, gpus, queues, taken):
    done = subprocess.run(
        [sys.executable, "-c", TAKES, queues],
        cwd=ROOT,
        env=environment(GPUS=gpus, DATA_DIR=tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert taken in done.stdout, done.stdout + done.stderr


def test_each_queue_is_taken_from_by_some_class():
    taken = {name for one in NodeClass for name in one.queues}
    assert taken | {"train", "maintenance"} == set(app.amqp.queues)
    assert all(nodes.EITHER in one.queues for one in NodeClass)
