"""30,000 uploads wait: other work begins all the same."""

import time

import pytest

from benchmarks.batches import Program, kaggle_table
from tests.site import eventually

SETTINGS = {"MAX_QUEUED": 100_000, "CLASSIFY_PROCESSES": 1}
WAITING = 30_000
WITHIN = 10  # seconds: a slice of uploads, then a slice and a second for each other task
FILL = f"""
from digits.models import Upload
from digits.queue import wake_ups
from digits.uploads import queue
file = Upload.objects.get(name="first.png").file.name
rows = [Upload(name="backlog.png", file=file, turn=10**6 + turn) for turn in range({WAITING})]
Upload.objects.bulk_create(rows, batch_size=1000)
wake_ups.send(queue.TASK)
"""
ACTIVATE = """
from digits.models import ModelVersion
from digits.versions import activations
print(activations.request(ModelVersion.active()).pk)
"""
LEFT = "from digits.models import Upload; print(Upload.objects.filter(status='queued').count())"


@pytest.fixture
def backlog(own_site, seven):
    visitor = own_site.visitor()
    visitor.send(seven, "first.png")
    program = Program(own_site)
    own_site.query(FILL)
    eventually(lambda: int(own_site.query(LEFT)) < WAITING - 500)
    return program


def test_an_activation_and_a_small_batch_begin_while_30000_uploads_wait(own_site, backlog):
    site, (table, _) = own_site, kaggle_table(10)
    asked = time.monotonic()
    activation = site.query(ACTIVATE)
    look = "from digits.models import Activation; print(Activation.objects.get(pk=%s).status)"
    eventually(lambda: site.query(look % activation) == "done", WITHIN)
    activated = time.monotonic() - asked
    job, asked = backlog.send(table), time.monotonic()
    eventually(lambda: backlog.ended(job), WITHIN)
    print(f"activated after {activated:.1f} s, a batch read after {time.monotonic() - asked:.1f} s")
    assert int(site.query(LEFT)) > 500  # they waited all the while
    assert site.redis().llen("classify") <= 4  # one message of a task
    assert len(backlog.results(job)) == 10
