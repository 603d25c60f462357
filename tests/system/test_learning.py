"""The site learns: corrections, a training in a process of its own, its version, activation."""

import os
import re
import signal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.pictures import in_lines, mnist_png, png
from tests.site import ADMIN_PASSWORD, Site, eventually, load
from tests.system.conftest import Watched, read

TRAINER = r"manage\.py run_training"
CORRECT = """
from digits.learning.corrections import correct
from digits.models import Digit
from django.contrib.auth.models import User
admin = User.objects.get(username="admin")
digits = Digit.objects.filter(upload__name__startswith="taught-").select_related("upload")
for digit in digits:
    correct(digit, LABELS[int(digit.upload.name[7:-4])], user=admin)
print(len(digits))
"""


# The lease that users have: on a busy machine a trainer begins slowly.
SETTINGS = {"LEASE_SECONDS": 60}
TRAINING, JUDGING = 240_000, 120_000  # milliseconds at most, where nothing else runs


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


def next_version(site: Site) -> int:
    """The number of the version that the next training makes."""
    code = "from digits.models import ModelVersion; print(ModelVersion.objects.count())"
    return 1 + int(site.query(code))


def trainer(site: Site) -> int:
    """The process id of the process that trains."""
    return next(iter(eventually(lambda: site.processes(TRAINER), 60)))


def sign_in(page):
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()


def test_an_admin_corrects_retrains_activates_and_rolls_back(own_site, chromium, mnist, tmp_path):
    context = chromium.new_context(base_url=own_site.url, viewport={"width": 1280, "height": 900})
    watched = Watched(context)
    page, processes, number = watched.page, own_site.reader(), next_version(own_site)
    sign_in(page)
    picture = tmp_path / "digits.png"
    picture.write_bytes(png(in_lines(mnist, [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])))
    read(page, picture)
    for verdict in range(12):  # what was read is confirmed, digit by digit
        page.keyboard.press("Enter")
        expect(page.locator(".verdict").nth(verdict)).to_have_text("confirmed")

    page.get_by_role("link", name="Models").click()
    expect(page.locator("#runs")).to_contain_text("12 new corrections since the last training")
    page.get_by_role("link", name="Retrain").click()
    page.get_by_label("Epochs").fill("2")
    page.get_by_label("Images an epoch").fill("640")
    page.get_by_label("Batch size").fill("32")
    page.get_by_label("Activate it if it reads better").uncheck()
    page.get_by_role("button", name="Retrain").click()
    page.evaluate("window.sameDocument = true")
    progress = page.locator("#run progress")
    expect(page.locator("#run")).to_contain_text(
        re.compile(r"Epoch 1 of 2, step \d+ of \d+"), timeout=TRAINING * load()
    )
    first = float(progress.get_attribute("value"))
    expect(page.locator("#run")).to_contain_text("Epoch 2 of 2", timeout=TRAINING * load())
    assert float(progress.get_attribute("value")) > first
    expect(page.locator(".chart polyline.validation").first).to_be_attached()
    expect(page.locator("#run")).to_contain_text(
        f"Version {number} was made", timeout=JUDGING * load()
    )
    assert page.evaluate("window.sameDocument") is True  # all of it without a reload

    page.get_by_role("link", name=f"The report of version {number}").click()
    expect(page.locator("main")).to_contain_text("MNIST")
    page.get_by_role("button", name="Activate").click()
    expect(page.locator("#activation")).to_contain_text(f"Version {number} was activated")
    read(page, picture)
    expect(page.locator(".bars caption").first).to_contain_text(f"version {number}")

    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Roll back to version 1").click()
    expect(page.locator("#activation")).to_contain_text("Version 1 was activated")
    read(page, picture)
    expect(page.locator(".bars caption").first).to_contain_text("version 1")
    assert own_site.reader() == processes
    assert watched.errors == []
    assert watched.hosts == {own_site.url.removeprefix("http://")}
    context.close()


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
    reader, number = own_site.reader(), next_version(own_site)
    settings = {"images_per_epoch": 640, "batch_size": 32, "activate_if_better": ""}
    run = retrain(staff, epochs=3, **settings)
    # It is killed in the middle of its second epoch, and goes on with that one.
    eventually(lambda: re.search(r"Epoch 2 of 3, step [1-9]", state(staff, run)), 180)
    first = trainer(own_site)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: "resumes after its last finished epoch" in state(staff, run), 20)
    assert trainer(own_site) != first
    eventually(lambda: status(staff, run) not in ("queued", "running"), 300)
    page = state(staff, run)
    assert f"version {number} was made" in page
    assert [page.count(f"epoch {n}: accuracy") for n in (1, 2, 3)] == [1, 1, 1]
    eventually(lambda: not own_site.processes(TRAINER), 15)  # its memory returns
    # The version it made is activated, and reads the next upload.
    staff.get("/models/")
    staff._post(f"{own_site.url}/models/{number}/activate", {})
    eventually(lambda: f"Version {number} was activated" in staff.get("/models/").text, 20)
    visitor = own_site.visitor()
    address = visitor.send(mnist_png(mnist, 40)).url.removeprefix(own_site.url)
    eventually(lambda: f"by model version {number}" in visitor.get(address).text, 30)
    assert own_site.reader() == reader
