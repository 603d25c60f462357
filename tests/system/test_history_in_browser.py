"""In a real browser: people sign up and keep their history, search it, and delete several."""

import re

from playwright.sync_api import expect

from tests.pictures import in_lines, mnist_png, png
from tests.system.conftest import choose


def send(page, folder, files: dict[str, bytes]):
    """Send files from the start page, and wait until each is read."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    page.goto("/")
    page.get_by_label("Image").set_input_files([folder / name for name in files])
    expect(page.locator(".reading, .answer")).to_have_count(len(files))


def sign_up(page, name: str):
    page.goto("/accounts/signup/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill("a-long-password")
    page.get_by_label("Password confirmation").fill("a-long-password")
    page.get_by_role("button", name="Sign up").click()


def test_who_signs_up_keeps_the_history_and_finds_and_deletes_in_it(watched, site, mnist, tmp_path):
    page = watched.page
    files = {f"{index}.png": mnist_png(mnist, index) for index in (0, 1, 2)}  # 7, 2, 1
    send(page, tmp_path, files | {"two.png": png(in_lines(mnist, [[0, 1]]))})
    sign_up(page, "ada")
    expect(page.get_by_text("4 uploads were moved to your account.")).to_be_visible()

    choose(page, "History")
    expect(page.locator(".tile")).to_have_count(4)
    page.get_by_label("Reads").fill("72")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".tile")).to_have_count(1)
    assert page.url.endswith("/uploads/?reading=72")
    page.get_by_text("More filters").click()
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No upload matches.")).to_be_visible()
    page.get_by_role("link", name="Without State: failed").click()
    expect(page.locator(".tile .reading")).to_have_text("72")
    page.get_by_role("link", name="Clear the filter").click()
    expect(page.locator(".tile")).to_have_count(4)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 5
    page.get_by_label(re.compile("^Mark upload")).nth(0).check()
    page.get_by_label(re.compile("^Mark upload")).nth(2).check()
    page.get_by_role("button", name="Delete marked uploads").click()
    expect(page.get_by_role("heading", name="Delete 2 uploads?")).to_be_visible()
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("2 uploads were deleted.")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert watched.errors == []
    assert watched.hosts == {f"127.0.0.1:{site.port}"}


def test_the_history_is_searched_and_cleaned_up_without_javascript(chromium, site, mnist, tmp_path):
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    path = tmp_path / "plain.png"
    path.write_bytes(mnist_png(mnist, 0))
    page.goto("/")
    page.get_by_label("Image").set_input_files(path)
    page.get_by_role("button", name="Read it").click()
    page.goto(f"{page.url}?wait=20")
    page.goto("/uploads/")
    page.get_by_label("Reads").fill("7")
    page.get_by_role("button", name="Search").click()
    page.get_by_label(re.compile("^Mark upload")).check()
    page.get_by_role("button", name="Delete marked uploads").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("1 upload was deleted.")).to_be_visible()
    expect(page.get_by_text("No upload matches.")).to_be_visible()
    context.close()
