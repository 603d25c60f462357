"""The short form of the fault suite: a few faults on SQLite. `make faults` does all of them."""

import contextlib

import pytest

from tests.site import eventually, load
from tests.system.faults.registry import FAULTS, SHORT
from tests.system.faults.scene import Fault, Scene
from tests.system.faults.table import cells

SETTINGS = {
    "LEASE_SECONDS": 5,  # what a killed process held is free again sooner
    "KEEP_ORIGINALS": 1,  # files are told apart by their metadata
}
BY_NAME = {fault.name: fault for fault in FAULTS}
PLANTED = """
from digits.models import Batch, BatchItem, SmallFile, Upload
small = Upload.objects.filter(name__startswith="fault", status="done", file__startswith="small/")
gone, changed, misread, doubled = small.order_by("-pk")[:4]
gone.delete()
SmallFile.objects.filter(pk=changed.file.name[6:-4]).update(content=b"another")
Upload.objects.filter(pk=misread.pk).update(reading="33")
doubled.pk, doubled.version = None, None
doubled.save(force_insert=True)
batch = Batch.objects.latest("pk")
BatchItem.objects.filter(batch=batch, number=7).delete()
Batch.objects.filter(pk=batch.pk).update(done=batch.done + 1)
"""


@pytest.fixture(scope="module")
def scene(own_site):
    found = Scene(own_site)
    found.prepare()
    return found


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_loses_nothing_and_has_nothing_read_twice(scene, name):
    verdict = scene.run(BY_NAME[name])
    print(*cells(verdict), verdict.statuses, *verdict.notes, sep=" | ")
    assert verdict.is_clean, verdict
    assert verdict.seconds is not None
    assert verdict.seconds < 60 * load()
    assert verdict.uploads.accepted > 20
    assert verdict.rows.done == len(scene.truth)


@contextlib.contextmanager
def planted(scene):
    (job,) = scene.jobs
    eventually(lambda: scene.rows_done(job) == len(scene.truth), every=0.5)
    scene.site.query(PLANTED)
    yield


def test_the_judge_finds_what_is_lost_and_what_is_there_twice(scene):
    verdict = scene.run(Fault("planted", planted))
    assert (verdict.uploads.lost, verdict.uploads.twice) == (3, 1)
    assert (verdict.rows.lost, verdict.rows.twice) == (1, 2)
    assert not verdict.is_clean


def test_each_fault_has_a_name_of_its_own_and_the_short_form_is_part_of_all():
    assert len(BY_NAME) == len(FAULTS) >= 30
    assert set(SHORT) <= set(BY_NAME)
