"""The start page in a real browser: images are drawn, dropped and pasted, and read where one is."""

from playwright.sync_api import expect

from tests.pages import draw
from tests.pictures import mnist_png
from tests.system.conftest import choose_before_scripts, read, transfer


def test_a_drawing_is_read_where_it_is_drawn(watched):
    page = watched.page
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    draw(page)
    expect(page.locator("#reading .answer")).to_have_text("7")
    expect(page.locator("#said")).to_contain_text("Read as 7.")
    draw(page, [(0.85, 0.3), (0.85, 0.5), (0.84, 0.8)])  # the drawing goes on
    expect(page.locator("#reading .answer")).to_have_text("71")
    page.keyboard.press("Control+z")
    expect(page.locator("#reading .answer")).to_have_text("7")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#reading .answer")).to_have_count(0)
    assert page.evaluate("window.sameDocument") is True
    assert watched.errors == []


def test_one_drawing_is_one_upload_and_black_on_white(chromium, site):
    context = chromium.new_context(base_url=site.url, color_scheme="dark")
    page = context.new_page()
    page.goto("/")
    draw(page)
    expect(page.locator("#reading .answer")).to_have_text("7")
    draw(page, [(0.85, 0.3), (0.85, 0.5), (0.84, 0.8)])
    expect(page.locator("#reading .answer")).to_have_text("71")
    page.get_by_role("link", name="Details").click()
    look = """async () => {
        const image = document.querySelector(".picture image");
        const bitmap = await createImageBitmap(await (await fetch(image.href.baseVal)).blob());
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        return Array.from(context.getImageData(2, 2, 1, 1).data);
    }"""
    expect(page.locator(".picture image")).to_be_visible()
    assert min(page.evaluate(look)) > 245
    page.goto("/uploads/")
    assert page.locator(".tile").count() == 1
    context.close()


def test_dropped_files_have_a_tile_each_and_a_bad_one_its_reason(watched, mnist):
    page = watched.page
    page.goto("/")
    files = {f"drop-{index}.png": mnist_png(mnist, index) for index in range(3)}
    drag = transfer(page, files | {"words.png": b"words"})
    page.locator("main").dispatch_event("drop", {"dataTransfer": drag})
    expect(page.locator("#sent .reading")).to_have_text(["7", "2", "1"])
    expect(page.locator("#sent").get_by_role("alert")).to_contain_text("words.png")
    page.goto("/uploads/")
    assert page.locator(".tile").count() == 3  # all of one session


def test_a_file_that_is_chosen_before_the_scripts_have_come_is_read(watched, photo):
    page = watched.page
    choose_before_scripts(page, "Image", photo)
    page.goto("/")
    expect(page.locator("#reading .answer")).to_have_text("7")
    page.get_by_role("link", name="Details").click()
    page.go_back()
    expect(page.locator(".tile")).to_have_count(1)  # it was not sent once more
    assert watched.errors == []


def test_a_pasted_picture_is_read(watched, mnist):
    page = watched.page
    page.goto("/")
    clipboard = transfer(page, {"image.png": mnist_png(mnist, 2)})
    paste = """(body, clipboardData) => body.dispatchEvent(
        new ClipboardEvent("paste", {clipboardData, bubbles: true}))"""
    page.locator("body").evaluate(paste, clipboard)
    expect(page.locator("#reading .answer")).to_have_text("1")


def test_an_example_is_read_with_one_click(watched):
    page = watched.page
    page.goto("/")
    page.get_by_role("button", name="A number").click()
    expect(page.locator("#reading .answer")).to_have_text("31415")
    assert watched.errors == []


def test_what_is_read_on_the_start_page_is_corrected_there(watched, mnist, tmp_path):
    page = watched.page
    verdict = page.locator("#reading .verdict")
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    draw(page)
    page.locator("#reading").get_by_role("button", name="1", exact=True).click()
    expect(verdict).to_have_text("corrected to 1 (was 7)")
    (tmp_path / "sent.png").write_bytes(mnist_png(mnist, 1))
    page.get_by_label("Image").set_input_files(tmp_path / "sent.png")
    expect(page.locator("#reading .answer")).to_have_text("2")
    page.keyboard.press("3")
    expect(verdict).to_have_text("corrected to 3 (was 2)")
    page.keyboard.press("4")
    expect(verdict).to_have_text("corrected to 4 (was 2)")
    expect(page.locator("#corrected")).to_have_text("With corrections: 4")
    page.get_by_role("button", name="One digit").click()
    expect(page.locator("#reading .answer")).to_have_text("5")
    page.keyboard.press("n")
    expect(verdict).to_contain_text("corrected to not a digit")
    assert page.evaluate("window.sameDocument") is True
    page.goto("/uploads/?verdict=corrected")
    expect(page.locator(".tile")).to_have_count(3)
    assert watched.errors == []


def test_an_upload_is_deleted_after_a_question(watched, photo):
    page = watched.page
    read(page, photo)
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete my photo.png?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("#messages")).to_contain_text("my photo.png was deleted.")
    expect(page.locator(".tile")).to_have_count(0)
    page.get_by_role("button", name="Put this message away").click()
    expect(page.locator("#messages")).to_be_empty()
    assert watched.errors == []


def test_several_files_an_example_and_deleting_work_without_javascript(
    chromium, site, photo, tmp_path
):
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    (tmp_path / "words.png").write_text("words")
    page.goto("/")
    page.get_by_label("Image").set_input_files([photo, photo, tmp_path / "words.png"])
    page.get_by_role("button", name="Read it").click()
    expect(page.locator("#messages")).to_contain_text("2 images were sent.")
    expect(page.locator("#messages")).to_contain_text("words.png: The file is not an image")
    page.goto("/")
    page.get_by_role("button", name="A number").click()
    page.goto(f"{page.url}?wait=20")
    assert page.locator(".answer").inner_text() == "31415"
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("#messages")).to_contain_text("number.png was deleted.")
    context.close()
