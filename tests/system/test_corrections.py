"""In a real browser: people correct readings, review unsure ones, and have uploads read again."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.pictures import in_lines, mnist_png, png
from tests.site import ADMIN_PASSWORD
from tests.system.conftest import choose, read
from worker.reading.engine import Engine
from worker.reading.reading import read_images

LABELS = """
import json
from digits.models import Correction, Upload
upload = Upload.objects.get(name="NAME")
corrections = Correction.objects.filter(digit__upload=upload).order_by("id")
print(json.dumps({
    "reading": upload.reading,
    "labels": [digit.label for digit in upload.digits.all()],
    "corrections": [[c.label, c.user and c.user.username, bool(c.visitor)] for c in corrections],
    "versions": [[p.version.number for p in d.predictions.order_by("id")]
                 for d in upload.digits.all()],
}))
"""


def stored(site, name: str) -> dict:
    return json.loads(site.query(LABELS.replace("NAME", name)))


def send(page, path, data: bytes):
    path.write_bytes(data)
    read(page, path)


def test_readings_are_corrected_by_click_and_by_key_without_a_reload(
    watched, site, mnist, tmp_path
):
    page = watched.page
    send(page, tmp_path / "corrected.png", png(in_lines(mnist, [[0, 1, 2], [3, 4]])))
    expect(page.locator(".answer")).to_have_text("721 04")
    page.evaluate("window.sameDocument = true")
    verdicts = page.locator(".verdict")
    page.locator(".digit").nth(0).get_by_role("button", name="4", exact=True).click()
    expect(verdicts.nth(0)).to_have_text("corrected to 4 (was 7)")
    expect(page.locator("#corrected")).to_have_text("With corrections: 421 04")
    page.locator(".answer").click()
    page.evaluate("document.activeElement.blur()")
    for key in ("Enter", "n", "8"):  # each is for the next one that has no label
        page.keyboard.press(key)
    expect(verdicts.nth(3)).to_have_text("corrected to 8 (was 0)")
    assert verdicts.all_inner_texts()[1:3] == ["confirmed", "corrected to not a digit (was 1)"]
    page.keyboard.press("Backspace")
    expect(verdicts.nth(3)).to_have_text("")
    page.keyboard.press("Control+9")
    page.keyboard.press("x")
    expect(page.locator("#corrected")).to_have_text("With corrections: 42 04")
    assert page.evaluate("window.sameDocument") is True
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert watched.errors == []
    found = stored(site, "corrected.png")
    assert found["reading"] == "721 04"
    assert found["labels"] == [4, 2, 10, None, None]
    assert [label for label, _, _ in found["corrections"]] == [4, 2, 10, 8, None]
    assert all(visitor and not user for _, user, visitor in found["corrections"])


@pytest.fixture(scope="module")
def doubtful(mnist) -> list[int]:
    """Digits of MNIST's test set that the model that ships is not sure of, the least sure first."""
    files = [mnist_png(mnist, index) for index in range(1000)]
    readings = read_images(Engine(), files)
    unsure = [
        (reading.confidence, index)
        for index, reading in enumerate(readings)
        if len(reading.digits) == 1 and reading.confidence < 0.97
    ]
    return [index for _, index in sorted(unsure)[:10]]


def test_unsure_readings_are_reviewed_by_key_the_least_sure_first(
    watched, site, mnist, doubtful, tmp_path
):
    page = watched.page
    for number, index in reversed(list(enumerate(doubtful[:4]))):
        send(page, tmp_path / f"doubt-{number}.png", mnist_png(mnist, index))
    choose(page, "Review")
    page.evaluate("window.sameDocument = true")
    left = page.locator(".review-head [role=status]")
    shown = []
    for key, still in (("Enter", 4), ("n", 3), ("s", 2), ("5", 2)):
        expect(left).to_have_text(f"{still} left")
        shown.append(page.locator("section.review").get_attribute("id"))
        page.keyboard.press(key)
        expect(page.locator(f"#{shown[-1]}")).to_have_count(0)
    expect(left).to_have_text("1 left")
    assert page.locator("section.review").get_attribute("id") == shown[2]  # the skipped one
    page.keyboard.press("Backspace")  # takes the 5 back
    expect(page.locator(f"#{shown[3]}")).to_be_visible()
    page.keyboard.press("6")
    expect(left).to_have_text("1 left")
    page.keyboard.press("7")
    expect(page.get_by_text("Nothing is left to review.")).to_be_visible()
    assert page.evaluate("window.sameDocument") is True
    assert watched.errors == []
    labels = [stored(site, f"doubt-{number}.png")["labels"] for number in range(4)]
    assert labels[1:] == [[10], [7], [6]]
    assert labels[0] != [None]


def test_ten_unsure_readings_are_reviewed_by_keyboard_alone(watched, mnist, doubtful, tmp_path):
    page = watched.page
    paths = [tmp_path / f"one-of-ten-{index}.png" for index in doubtful]
    for path, index in zip(paths, doubtful, strict=True):
        path.write_bytes(mnist_png(mnist, index))
    page.goto("/")
    page.get_by_label("Image").set_input_files(paths)
    expect(page.locator(".live-tile .reading, .live-tile .badge:not(.busy)")).to_have_count(10)
    page.goto("/review/")
    left = page.locator(".review-head [role=status]")
    for number, key in enumerate(("Enter", "0", "1", "2", "3", "n", "6", "7", "8", "Enter")):
        expect(left).to_have_text(f"{10 - number} left")
        page.keyboard.press(key)
    expect(page.get_by_text("Nothing is left to review.")).to_be_visible()
    assert watched.errors == []


def test_a_digit_is_corrected_and_reviewed_without_javascript(
    chromium, site, mnist, doubtful, tmp_path
):
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    for number, index in enumerate(doubtful[:2]):
        path = tmp_path / f"plain-{number}.png"
        path.write_bytes(mnist_png(mnist, index))
        page.goto("/")
        page.get_by_label("Image").set_input_files(path)
        page.get_by_role("button", name="Read it").click()
        page.goto(f"{page.url}?wait=20")
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("3")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".verdict")).to_have_text("")
    page.goto("/review/")
    page.get_by_role("link", name="Skip", exact=True).click()
    page.get_by_role("button", name="not a digit").click()
    page.get_by_role("button", name=re.compile("^Confirm")).click()
    expect(page.get_by_text("Nothing is left to review.")).to_be_visible()
    context.close()


def test_staff_has_an_upload_read_again_by_another_version(watched, site, mnist, tmp_path):
    number = site.query(
        "from digits.versions.registry import register;"
        " from worker.reading.bundle import BUNDLED_MODEL;"
        ' print(register(BUNDLED_MODEL, {"architecture": "cnn"}, note="another").number)'
    )
    page = watched.page
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    send(page, tmp_path / "again.png", png(in_lines(mnist, [[0, 1, 2]])))
    page.evaluate("window.sameDocument = true")
    page.get_by_label("with").select_option(number)
    page.get_by_role("button", name="Read again").click()
    page.evaluate("document.activeElement.blur()")
    for key in "721":  # while the page is being replaced
        page.keyboard.press(key)
    expect(page.locator(".versions")).to_have_count(3)
    expect(page.locator(".versions").first).to_contain_text("version 1: 7")
    expect(page.get_by_text("they differ")).to_have_count(0)
    expect(page.get_by_text("confirmed")).to_have_count(3)
    expect(page.locator(".versions").first).to_contain_text(f"version {number}: 7")
    expect(page.locator("#id_version").get_by_text(f"version {number}:")).to_have_count(0)
    assert page.evaluate("window.sameDocument") is True
    assert watched.errors == []
    found = stored(site, "again.png")
    assert found["reading"] == "721"
    assert len(found["versions"]) == 3
    assert found["labels"] == [7, 2, 1]
    assert found["versions"] == [[1, int(number)]] * 3
