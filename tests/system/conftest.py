"""A real browser for the tests: Debian's chromium, or another that CHROMIUM names."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.pictures import on_paper, png

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
expect.set_options(timeout=60_000)  # a page of a busy machine comes later, not otherwise
TRANSFER = """files => {
    const data = new DataTransfer();
    for (const [name, bytes] of files) {
        data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
    }
    return data;
}"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM:
        pytest.skip("there is no chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page that remembers its errors and the hosts it asked."""

    def __init__(self, context):
        self.page = context.new_page()
        self.errors, self.hosts = [], set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))


@pytest.fixture
def watched(chromium, site):
    context = chromium.new_context(base_url=site.url, viewport={"width": 390, "height": 844})
    yield Watched(context)
    context.close()


@pytest.fixture
def photo(tmp_path, mnist):
    path = tmp_path / "my photo.png"
    path.write_bytes(png(on_paper(mnist.images[0])))
    return path


def read(page, path):
    """Send a file from the start page, and go to the page of its reading."""
    page.goto("/")
    page.get_by_label("Image").set_input_files(path)
    page.get_by_role("link", name="Details").click()
    expect(page.locator(".result .answer")).to_be_visible()


def choose(page, name):
    """Go to a page by the menu, which is behind a button on a phone."""
    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("link", name=name, exact=True).click()


def transfer(page, files: dict[str, bytes]):
    """A clipboard or a drag with these files, in the page."""
    return page.evaluate_handle(TRANSFER, [[name, list(data)] for name, data in files.items()])


def choose_before_scripts(page, label, path):
    """Have a file chosen on the next page while its scripts are still under way."""

    def choose_first(route):
        page.get_by_label(label).set_input_files(path)
        route.continue_()

    page.route("**/digits/dropping*.js", choose_first, times=1)
