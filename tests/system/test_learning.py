"""The site learns: corrections, a training in a process of its own, its version, activation."""

import os
import re
import signal
from urllib.parse import urlsplit

import pytest

from tests.pictures import mnist_png
from tests.site import Site, eventually

TRAINER = r"manage\.py run_training"
CORRECT = """
from digits.learning.corrections import correct
from digits.models import Digit
digits = Digit.objects.filter(upload__name__startswith="taught-").select_related("upload")
for digit in digits:
    correct(digit, LABELS[int(digit.upload.name[7:-4])])
print(len(digits))
"""


# The lease that users have: on a busy machine a trainer begins slowly.
SETTINGS = {"LEASE_SECONDS": 60}


@pytest.fixture(scope="module")
def staff(own_site):
    return own_site.visitor(sign_in=True)


def teach(site: Site, mnist, rows: range):
    """Upload digits and correct each one to its true label."""
    visitor = site.visitor()
    for row in rows:
        page = visitor.send(mnist_png(mnist, row), f"taught-{row}.png")
        assert visitor.get(urlsplit(page.url).path + "?wait=20").status_code == 200
    code = CORRECT.replace("LABELS", f"{mnist.labels[: rows.stop].tolist()}")
    assert int(site.query(code)) == rows.stop


def retrain(staff, **settings) -> str:
    """Press "Retrain"; returns the address of the run's page."""
    form = {"start": "active", "architecture": "cnn", "activate_if_better": "on"} | settings
    staff.get("/training/new")
    page = staff._post(f"{staff.site.url}/training/new", form)
    assert page.status_code == 200
    return page.url.removeprefix(staff.site.url)


def state(visitor, run: str) -> str:
    """The run's page, as it is now."""
    return visitor.get(run, headers={"HX-Request": "true"}).text


def status(visitor, run: str) -> str:
    return re.search(r'class="badge[^"]*">(\w+)<', state(visitor, run))[1]


def trainer(site: Site) -> int:
    """The process id of the process that trains."""
    return next(iter(eventually(lambda: site.processes(TRAINER), 60)))


def test_a_cancelled_training_ends_within_5_seconds_and_the_next_one_starts(own_site, staff, mnist):
    teach(own_site, mnist, range(12))
    run = retrain(staff, epochs=50)
    eventually(lambda: "step" in state(staff, run), 120)
    assert (
        "is not finished yet"
        in staff._post(
            f"{own_site.url}/training/new", {"start": "active", "architecture": "cnn"}
        ).text
    )
    staff._post(f"{own_site.url}{run}cancel", {})
    eventually(lambda: status(staff, run) == "cancelled", 5, is_promised=True)
    assert not own_site.processes(TRAINER)
    again = retrain(staff, epochs=50)
    assert again != run
    eventually(lambda: status(staff, again) == "running", 20)
    staff._post(f"{own_site.url}{again}cancel", {})
    eventually(lambda: status(staff, again) == "cancelled", 5, is_promised=True)


def test_a_killed_trainer_goes_on_and_its_version_reads_without_a_restart(own_site, staff, mnist):
    teach(own_site, mnist, range(12, 40))
    reader = own_site.reader()
    run = retrain(staff, epochs=3, images_per_epoch=1000, activate_if_better="")
    # It is killed in the middle of its second epoch, and goes on with that one.
    eventually(lambda: re.search(r"Epoch 2 of 3, step [1-9]", state(staff, run)), 180)
    first = trainer(own_site)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: "resumes after its last finished epoch" in state(staff, run), 20)
    assert trainer(own_site) != first
    eventually(lambda: status(staff, run) not in ("queued", "running"), 300)
    page = state(staff, run)
    assert "version 2 was made" in page
    assert [page.count(f"epoch {n}: accuracy") for n in (1, 2, 3)] == [1, 1, 1]
    eventually(lambda: not own_site.processes(TRAINER), 15)  # its memory returns
    # The version it made is activated, and reads the next upload.
    staff.get("/models/")
    staff._post(f"{own_site.url}/models/2/activate", {})
    eventually(lambda: "Version 2 was activated" in staff.get("/models/").text, 20)
    visitor = own_site.visitor()
    address = visitor.send(mnist_png(mnist, 40)).url.removeprefix(own_site.url)
    eventually(lambda: "by model version 2" in visitor.get(address).text, 30)
    assert own_site.reader() == reader
