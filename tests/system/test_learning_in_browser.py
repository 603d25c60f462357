"""In a real browser, an admin teaches the site: corrects, retrains, activates and rolls back."""

import re

from playwright.sync_api import expect

from tests.pictures import in_lines, png
from tests.site import ADMIN_PASSWORD, load
from tests.system.conftest import Watched, read

# The lease that users have: on a busy machine a trainer begins slowly.
SETTINGS = {"LEASE_SECONDS": 60}
TRAINING, JUDGING = 240_000, 120_000  # milliseconds at most, where nothing else runs


def sign_in(page):
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()


def test_an_admin_corrects_retrains_activates_and_rolls_back(own_site, chromium, mnist, tmp_path):
    context = chromium.new_context(base_url=own_site.url, viewport={"width": 1280, "height": 900})
    watched = Watched(context)
    page, processes = watched.page, own_site.reader()
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
    page.get_by_label("Images an epoch").fill("1000")
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
    expect(page.locator("#run")).to_contain_text("Version 2 was made", timeout=JUDGING * load())
    assert page.evaluate("window.sameDocument") is True  # all of it without a reload

    page.get_by_role("link", name="The report of version 2").click()
    expect(page.locator("main")).to_contain_text("MNIST")
    page.get_by_role("button", name="Activate").click()
    expect(page.locator("#activation")).to_contain_text("Version 2 was activated")
    read(page, picture)
    expect(page.locator(".bars caption").first).to_contain_text("version 2")

    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="Roll back to version 1").click()
    expect(page.locator("#activation")).to_contain_text("Version 1 was activated")
    read(page, picture)
    expect(page.locator(".bars caption").first).to_contain_text("version 1")
    assert own_site.reader() == processes
    assert watched.errors == []
    assert watched.hosts == {own_site.url.removeprefix("http://")}
    context.close()
