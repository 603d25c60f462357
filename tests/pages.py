"""Every page of the site, in one place; and an installation filled with real uploads to show them.

What visits all pages (accessibility, weight, screenshots) goes through this list: a new page is
added here, and nowhere else.
"""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import expect

from benchmarks import scenes
from tests.bulks import kaggle_csv
from tests.codes import Telephone
from tests.models import noisy_model
from tests.pictures import in_lines, mnist_png, on_paper, png
from tests.site import ADMIN_PASSWORD, Site, eventually
from worker.evaluation.judging import judge
from worker.files.datasets import Dataset, load_mnist
from worker.reading.engine import Engine

CAREFUL = "a password of somebody careful"
FACTOR = "/account/second-factor/"
SEVEN = [(0.35, 0.3), (0.5, 0.29), (0.62, 0.3), (0.55, 0.5), (0.5, 0.65), (0.46, 0.8)]


def draw(page, points=SEVEN):
    """Draw one stroke; points are shares of the drawing area's width and height."""
    box = page.locator("canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def _draw_and_wait(page):
    draw(page)
    expect(page.locator("#reading .answer")).to_be_visible()


def _try_the_page(page):
    page.get_by_role("button", name="A page").click()
    expect(page.locator("#reading .chips")).to_be_visible()


def _ask_to_delete(page):
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _show_the_key(page):
    """Make an account, and go to where its second factor is switched on."""
    page.context.clear_cookies()
    page.goto("/accounts/signup/")
    page.locator("#id_username").fill(name := f"careful-{secrets.token_hex(4)}")
    for field in ("#id_password1", "#id_password2"):
        page.locator(field).fill(CAREFUL)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_text(f"Welcome, {name}.")).to_be_visible()
    page.goto("/account/second-factor/on/")
    page.get_by_label("Password").fill(CAREFUL)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_alt_text("QR code")).to_be_visible()
    return name


def _show_the_codes(page):
    name = _show_the_key(page)
    page.get_by_label("Code").fill(Telephone(page.content()).code())
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return name


def _with_codes(path: str) -> Callable:
    def go(page):
        _show_the_codes(page)
        page.goto(path)

    return go


def _ask_for_a_code(page):
    name = _show_the_codes(page)
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(CAREFUL)
    page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Code")).to_be_visible()


@dataclass(frozen=True)
class Page:
    """One page to look at.

    path: its address; names in braces are those that `fill` returns.
    by: "staff", "visitor" for whoever is not signed in, or "new" for whoever makes an account.
    act: what is done on it first.
    ours: False for pages that another program draws, as Django's admin.
    """

    name: str
    path: str
    by: str = "staff"
    act: Callable | None = None
    ours: bool = True


PAGES = [
    Page("start", "/", by="visitor"),
    Page("drawn", "/", by="visitor", act=_draw_and_wait),
    Page("example", "/", by="visitor", act=_try_the_page),
    Page("start-with-uploads", "/"),
    Page("result", "/uploads/{page}/"),
    Page("result-of-one-digit", "/uploads/{digit}/"),
    Page("result-not-a-digit", "/uploads/{letter}/"),
    Page("result-blank", "/uploads/{blank}/"),
    Page("result-failed", "/uploads/{cut}/"),
    Page("delete", "/uploads/{digit}/delete"),
    Page("delete-dialog", "/uploads/{digit}/", act=_ask_to_delete),
    Page("history", "/uploads/"),
    Page("history-empty", "/uploads/", by="visitor"),
    Page("review", "/review/"),
    Page("review-corrections", "/review/corrections/"),
    Page("review-empty", "/review/", by="visitor"),
    Page("models", "/models/"),
    Page("version", "/models/{shipped}/"),
    Page("version-with-report", "/models/{second}/"),
    Page("compare", "/models/compare"),
    Page("retrain", "/training/new"),
    Page("training", "/training/{run}/"),
    Page("bulk", "/batches/"),
    Page("bulk-empty", "/batches/", by="visitor"),
    Page("bulk-job", "/batches/{batch}/"),
    Page("bulk-delete", "/batches/{batch}/delete"),
    Page("dashboard", "/dashboard/"),
    Page("account", "/account/"),
    Page("second-factor", "/account/second-factor/"),
    Page("confirm", "/account/second-factor/on/"),
    Page("second-factor-key", "/accounts/signup/", by="new", act=_show_the_key),
    Page("recovery-codes", "/accounts/signup/", by="new", act=_show_the_codes),
    Page("second-factor-on", "/accounts/signup/", "new", _with_codes(FACTOR)),
    Page("second-factor-off", "/accounts/signup/", "new", _with_codes(f"{FACTOR}off/")),
    Page("new-recovery-codes", "/accounts/signup/", "new", _with_codes(f"{FACTOR}codes/new/")),
    Page("code", "/accounts/signup/", by="new", act=_ask_for_a_code),
    Page("password", "/account/password/"),
    Page("delete-account", "/account/delete/"),
    Page("sign-up", "/accounts/signup/", by="visitor"),
    Page("tokens", "/account/tokens/"),
    Page("api-docs", "/api/docs/", by="visitor"),
    Page("sign-in", "/accounts/login/", by="visitor"),
    Page("not-found", "/nothing/", by="visitor"),
    Page("admin", "/admin/", ours=False),
    Page("admin-uploads", "/admin/digits/upload/", ours=False),
    Page("admin-upload", "/admin/digits/upload/{page}/change/", ours=False),
    Page("admin-versions", "/admin/digits/modelversion/", ours=False),
    Page("admin-trainings", "/admin/digits/trainingrun/", ours=False),
]

REGISTER = """
import json
from pathlib import Path
from digits.learning import runs
from digits.models import ModelVersion
from digits.versions.registry import register
from django.contrib.auth.models import User
from worker.training.recipes import Recipe
first = ModelVersion.active()
metrics = json.loads(Path("REPORT").read_text())
second = register(Path("MODEL"), metrics, "noise on its last layer", first)
admin = User.objects.get(username="admin")
run = runs.ask(Recipe.fine_tuning(), forced=True, user=admin)
runs.cancel(run)
print(json.dumps({"shipped": first.pk, "second": second.pk, "run": run.pk}))
"""


def fill(site: Site, folder: Path) -> dict[str, int]:
    """Have an installation read pictures of all kinds, correct some, and learn a second version.

    Returns:
        The numbers of what pages show.
    """
    mnist, admin = load_mnist("test"), site.visitor(sign_in=True)
    numbers = {name: _send(admin, data, f"{name}.png") for name, data in _pictures(mnist).items()}
    numbers["batch"] = _send_bulk(admin, mnist)
    engine, path = Engine(), noisy_model(folder / "second.keras")
    none = Dataset(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))
    report = judge(Engine(path), engine, none) | {"active_version": 1}
    (folder / "report.json").write_text(json.dumps({"architecture": "cnn", "report": report}))
    code = REGISTER.replace("REPORT", f"{folder / 'report.json'}").replace("MODEL", f"{path}")
    numbers |= json.loads(site.query(code).splitlines()[-1])
    for name in ("page", "digit", "doubt-1"):
        admin.post(f"/uploads/{numbers[name]}/again", version=2)
    digits = re.findall(r'id="digit-(\d+)"', admin.get(f"/uploads/{numbers['page']}/").text)
    for digit, label in zip(digits, ("1", "0", "10"), strict=False):
        admin.post(f"/digit/{digit}/label", label=label)
    _correct_as_a_stranger(site, mnist)
    return numbers


def _correct_as_a_stranger(site: Site, mnist):
    """Have somebody else correct a digit, which waits for staff to accept that."""
    other = site.visitor()
    number = _send(other, png(on_paper(mnist.images[1])), "a stranger's.png")
    digit = re.search(r'id="digit-(\d+)"', other.get(f"/uploads/{number}/").text)[1]
    other.post(f"/digit/{digit}/label", label="3")


def _pictures(mnist) -> dict[str, bytes]:
    """The pictures to send, by name; the last ones are the newest."""
    rng = np.random.default_rng(4)
    unsure = _unsure(mnist, 3)
    hard = scenes.hard_page(mnist, rng).image
    return {
        "blank": png(np.full((120, 160), 250)),
        "letter": png(_letter()),
        "cut": png(on_paper(mnist.images[3]))[:900],
        **{f"doubt-{n}": mnist_png(mnist, index) for n, index in enumerate(unsure)},
        "photo of a notebook": png(hard),
        "a telephone number": png(scenes.string(mnist, rng).image),
        "digit": png(on_paper(mnist.images[0])),
        "page": png(in_lines(mnist, [[0, 1, 2, 3], [4, 5, 6]])),
    }


def _unsure(mnist, count: int) -> list[int]:
    """The indexes of those of the first test images that the shipped model is least sure of."""
    return np.argsort(Engine().predict(mnist.images[:500]).max(axis=1))[:count].tolist()


def _letter() -> np.ndarray:
    """A hand-drawn M, which is not a digit."""
    import cv2

    page = np.full((200, 200), 250, np.uint8)
    points = np.array([(40, 160), (50, 40), (100, 110), (150, 40), (160, 160)])
    return cv2.polylines(page, [points], False, 30, 9, cv2.LINE_AA)


def _send(visitor, data: bytes, name: str) -> int:
    answer = visitor.send(data, name)
    number = int(re.search(r"/uploads/(\d+)/", answer.url)[1])
    visitor.get(f"/uploads/{number}/?wait=20")
    return number


def _send_bulk(visitor, mnist) -> int:
    table = kaggle_csv(mnist, 200, labels=True)
    answer = visitor.send(table, "two hundred digits.csv", to="/batches/")
    eventually(lambda: "Download the results" in visitor.get(urlsplit(answer.url).path).text, 60)
    return int(re.search(r"/batches/(\d+)/", answer.url)[1])


def contexts(browser, site: Site, **options) -> dict:
    """A browser session of staff and two of visitors, by the names that pages use."""
    names = ("staff", "visitor", "new")
    found = {by: browser.new_context(base_url=site.url, **options) for by in names}
    page = found["staff"].new_page()
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Read")
    page.close()
    return found


def visit(browser_page, page: Page, numbers: dict[str, int]):
    """Open a page in a browser, and do what is done on it first."""
    browser_page.goto(page.path.format(**numbers), wait_until="networkidle")
    if page.act:
        page.act(browser_page)
