"""The site in a real browser."""

import os
import signal

from playwright.sync_api import expect

from tests.pictures import mnist_png
from tests.site import ADMIN_PASSWORD, eventually
from tests.system.conftest import choose, transfer


def test_a_chosen_file_is_read_without_a_reload(watched, photo, site):
    page = watched.page
    page.goto("/")
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator(".answer")).to_have_text("7")
    assert page.locator("meter").count() == 11  # ten digits, and "not a digit"
    assert page.evaluate("performance.getEntriesByType('navigation')[0].type") == "navigate"
    image = page.get_by_alt_text("The 28 by 28 pixels that the model saw")
    assert image.evaluate("image => image.naturalWidth") == 28
    choose(page, "History")
    expect(page.locator(".reading").first).to_have_text("7")
    assert watched.errors == []
    assert watched.hosts == {f"127.0.0.1:{site.port}"}


def test_the_reading_appears_while_the_page_is_open(watched, photo, site):
    """The worker is held until the waiting page is shown; then the same page shows the answer."""
    page = watched.page
    page.goto("/")
    reader = site.reader()
    os.kill(reader, signal.SIGSTOP)
    try:
        page.get_by_label("Image").set_input_files(photo)
        expect(
            page.get_by_text("Waiting for a worker").or_(page.get_by_text("Being read"))
        ).to_be_visible()
        page.evaluate("window.sameDocument = true")
    finally:
        os.kill(reader, signal.SIGCONT)
    expect(page.locator(".answer")).to_have_text("7")
    assert page.evaluate("window.sameDocument") is True


def test_the_page_goes_on_after_the_web_server_was_away(chromium, site, photo):
    context = chromium.new_context(base_url=site.url)
    page = context.new_page()
    page.goto("/")
    reader = site.reader()
    os.kill(reader, signal.SIGSTOP)
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator(".busy-dots")).to_be_visible()
    (web,) = site.processes("manage.py serve")
    os.kill(web, signal.SIGKILL)
    os.kill(reader, signal.SIGCONT)
    expect(page.locator(".answer")).to_have_text("7", timeout=40_000)
    context.close()
    eventually(site.is_ready)  # for the next test


def test_back_shows_the_whole_history(watched, photo):
    page = watched.page
    page.goto("/")
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator(".answer")).to_have_text("7")
    page.goto("/uploads/")
    page.locator(".tile").first.click()
    page.go_back()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_a_dropped_file_is_read(watched, mnist):
    page = watched.page
    page.goto("/")
    drag = transfer(page, {"drop.png": mnist_png(mnist, 1)})
    page.locator("[data-drop]").dispatch_event("drop", {"dataTransfer": drag})
    expect(page.locator(".answer")).to_have_text("2")
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("drop.png")


def test_a_bad_file_says_why_where_it_was_chosen(watched, tmp_path):
    (tmp_path / "words.png").write_text("words")
    page = watched.page
    page.goto("/")
    page.get_by_label("Image").set_input_files(tmp_path / "words.png")
    expect(page.get_by_role("alert")).to_contain_text("not an image")


def test_it_works_without_javascript(chromium, site, photo):
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Image").set_input_files(photo)
    page.get_by_role("button", name="Read it").click()
    again = page.get_by_role("link", name="Refresh")
    if again.is_visible():
        again.click()
    assert page.locator(".answer").inner_text() == "7"
    context.close()


def test_an_admin_inspects_a_prediction(watched, photo):
    page = watched.page
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator(".answer")).to_have_text("7")
    page.goto("/admin/digits/prediction/")
    thumbnail = page.locator("td.field-pixels_seen img").first
    thumbnail.scroll_into_view_if_needed()
    expect(thumbnail).to_have_js_property("naturalWidth", 28)
    page.locator("th.field-id a").first.click()
    expect(page.locator("pre")).to_contain_text("7: ")


def test_pages_do_not_scroll_sideways_on_a_phone(watched, photo):
    page = watched.page
    page.goto("/")
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator(".answer")).to_be_visible()
    for path in (None, "/", "/uploads/", "/accounts/login/", "/nothing"):
        if path:
            page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
