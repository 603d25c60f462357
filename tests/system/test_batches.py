"""Bulk jobs on a running site: the page shows how they go."""

import re
import subprocess

from playwright.sync_api import expect

from benchmarks.batches import MAKE_TOKEN
from tests.bulks import csv_of, idx, kaggle_csv, zip_of
from tests.pictures import mnist_png
from tests.site import ROOT
from tests.system.conftest import choose_before_scripts, transfer

DROP_TWICE = """(element, dataTransfer) => {
    const drop = () => new DragEvent("drop", {dataTransfer, bubbles: true});
    for (const event of [drop(), drop()]) element.dispatchEvent(event);
}"""


def test_a_file_is_chosen_watched_and_its_results_downloaded(site, watched, mnist, tmp_path):
    page, path = watched.page, tmp_path / "digits.csv"
    path.write_bytes(kaggle_csv(mnist, 2000, labels=True))
    page.goto("/batches/")
    page.get_by_label("A ZIP, CSV or IDX file, or images").set_input_files(path)
    expect(page).to_have_url(re.compile(r"/batches/\d+/$"))
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#batch")).to_contain_text("All 2,000 are done", timeout=60_000)
    assert page.evaluate("window.sameDocument") is True  # all of it without a reload
    expect(page.locator(".heat")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the results").click()
    lines = download.value.path().read_text().splitlines()
    assert (lines[0], lines[1], len(lines)) == ("ImageId,Label", "1,7", 2001)
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("#messages")).to_contain_text("digits.csv was deleted")
    assert watched.errors == []


def test_what_was_assumed_is_confirmed_before_it_is_read(watched, mnist, tmp_path):
    page, path = watched.page, tmp_path / "digits.csv"
    path.write_bytes(csv_of(1 - mnist.images[:30] / 255, [*range(30)], label_name="digit"))
    page.goto("/batches/")
    page.get_by_label("A ZIP, CSV or IDX file, or images").set_input_files(path)
    expect(page.locator("#refused")).to_contain_text("say with the option label_column")
    page.get_by_text("Layout of tables").click()
    page.get_by_label("Column of labels").fill("none")
    page.get_by_label("A ZIP, CSV or IDX file, or images").set_input_files(path)
    expect(page).to_have_url(re.compile(r"/batches/\d+/$"))
    expect(page.locator("#batch")).to_contain_text("Nothing is read before you confirm it.")
    expect(page.locator("#batch")).to_contain_text("High values are taken for paper")
    page.get_by_role("button", name="Read it so").click()
    expect(page.locator("#batch")).to_contain_text("All 30 are done", timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the results").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[1:] == [f"{n},{label}" for n, label in enumerate(mnist.labels[:30], 1)]


def test_files_are_dropped_anywhere_on_the_page(watched, mnist):
    page = watched.page
    page.goto("/batches/")
    main, form, posts = page.locator("main"), page.locator("[data-bulk]"), []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    over = re.compile(r"\bover\b")
    words = page.evaluate_handle("""() => {
        const words = new DataTransfer();
        words.setData("text/plain", "words");
        return words;
    }""")
    main.dispatch_event("dragenter", {"dataTransfer": words})
    expect(form).not_to_have_class(over)
    files = transfer(page, {f"{n}.png": mnist_png(mnist, n) for n in range(3)})
    main.dispatch_event("dragenter", {"dataTransfer": files})
    expect(form).to_have_class(over)
    main.dispatch_event("dragleave", {"dataTransfer": files})
    expect(form).not_to_have_class(over)
    main.dispatch_event("dragenter", {"dataTransfer": files})
    main.evaluate(DROP_TWICE, files)
    expect(page).to_have_url(re.compile(r"/batches/\d+/$"))
    expect(page.locator("#batch")).to_contain_text("All 3 are done")
    assert len(posts) == 1  # the second drop came while the first was sent
    assert watched.errors == []


def test_files_that_are_chosen_before_the_scripts_have_come_are_sent_once(watched, mnist, tmp_path):
    page, path = watched.page, tmp_path / "seven.png"
    path.write_bytes(mnist_png(mnist, 0))
    choose_before_scripts(page, "A ZIP, CSV or IDX file, or images", path)
    page.goto("/batches/")
    expect(page).to_have_url(re.compile(r"/batches/\d+/$"))
    page.go_back()
    expect(page.get_by_role("heading", name="Read in bulk")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page).to_have_url(re.compile(r"/batches/$"))
    assert watched.errors == []


def test_it_works_without_javascript(site, chromium, mnist, tmp_path):
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page, path = context.new_page(), tmp_path / "scans.zip"
    path.write_bytes(zip_of({"a.png": mnist_png(mnist, 0), "b.txt": b"words"}))
    page.goto("/batches/")
    page.get_by_label("A ZIP, CSV or IDX file, or images").set_input_files(path)
    page.get_by_role("button", name="Read it").click()
    for _ in range(100):
        if page.get_by_text("All 2 are done; 1 could not be read").is_visible():
            break
        page.reload()
    expect(page.get_by_role("link", name="Download the results")).to_be_visible()
    context.close()


def test_the_documented_examples_run(site, mnist, tmp_path):
    (tmp_path / "test.csv").write_bytes(kaggle_csv(mnist, 600))
    (tmp_path / "images.idx").write_bytes(idx(mnist.images[:50]))
    (tmp_path / "labels.idx").write_bytes(idx(mnist.labels[:50]))
    (tmp_path / "scans.zip").write_bytes(zip_of({"a.png": mnist_png(mnist, 0)}))
    for index, name in enumerate(("a.png", "b.png")):
        (tmp_path / name).write_bytes(mnist_png(mnist, index))
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/bulk.md").read_text(), re.M | re.S)
    code = "\n".join(blocks).replace("http://127.0.0.1:8000", site.url)
    code = code.replace("digits_the-token-that-you-were-shown", site.query(MAKE_TOKEN))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert (lines[:2], len(lines)) == (["ImageId,Label", "1,7"], 601)
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 601
