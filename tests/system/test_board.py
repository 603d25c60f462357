"""The drawing board in a real browser, with pens, palms and fingers, as DevTools makes them."""

import time
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.pages import SEVEN, draw
from tests.proxy import Proxy
from tests.site import ADMIN_PASSWORD
from tests.system.conftest import Watched

ONE = [(0.85, 0.3), (0.85, 0.5), (0.84, 0.8)]
PALM = [(0.8, 0.9), (0.82, 0.93), (0.85, 0.95)]
PEN_AWAY = 2.0  # seconds; the board waits a second and a half
# How much ink there is around a place of the board, given as shares of its width and height.
INK = """([x, y]) => {
    const board = document.querySelector("canvas");
    const place = [board.width * x - 20, board.height * y - 20];
    const pixels = board.getContext("2d").getImageData(...place, 40, 40).data;
    return pixels.filter((value, index) => index % 4 === 3 && value > 128).length;
}"""


FOCUS = "window.dispatchEvent(new Event('focus'))"  # a browser under test always has it


class Board:
    """The board of a page, with what lies on it: `pen` and `touch` are pointers of the browser."""

    def __init__(self, context, site):
        self.watched = Watched(context)
        self.page = self.watched.page
        self.tools = context.new_cdp_session(self.page)
        self.touches: dict[int, tuple[float, float]] = {}
        self.sent: list[str] = []
        self.page.on("request", self._note)
        self.page.goto(site.url)
        self.box = self.page.locator("canvas").bounding_box()
        self.reading = self.page.locator("#reading .answer")

    def _note(self, request):
        if request.method == "POST":
            self.sent.append(request.url)

    def place(self, point: tuple[float, float]) -> dict[str, float]:
        x, y = point
        return {
            "x": self.box["x"] + x * self.box["width"],
            "y": self.box["y"] + y * self.box["height"],
        }

    def pen(self, kind: str, point: tuple[float, float]):
        """kind: mousePressed, mouseMoved or mouseReleased."""
        is_down = kind != "mouseMoved"
        self.tools.send(
            "Input.dispatchMouseEvent",
            {
                "type": kind,
                "pointerType": "pen",
                "button": "left" if is_down else "none",
                "buttons": int(kind == "mousePressed"),
                "clickCount": int(is_down),
                **self.place(point),
            },
        )

    def pen_draws(self, points):
        self.pen("mouseMoved", points[0])
        self.pen("mousePressed", points[0])
        for (x, y), (next_x, next_y) in pairwise(points):
            for share in (0.25, 0.5, 0.75, 1):
                point = (x + (next_x - x) * share, y + (next_y - y) * share)
                self.tools.send(
                    "Input.dispatchMouseEvent",
                    {
                        "type": "mouseMoved",
                        "pointerType": "pen",
                        "button": "left",
                        "buttons": 1,
                        **self.place(point),
                    },
                )
        self.pen("mouseReleased", points[-1])

    def touch(self, number: int, point: tuple[float, float] | None):
        """Lay a finger or a palm down, or move it there; None: lift it."""
        if point is None:
            del self.touches[number]
            kind = "touchMove" if self.touches else "touchEnd"  # a place that is left out ends
        else:
            kind = "touchMove" if number in self.touches else "touchStart"
            self.touches[number] = point
        points = [{"id": key, **self.place(one)} for key, one in self.touches.items()]
        self.tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def finger_draws(self, points, number: int = 1):
        for point in points:
            self.touch(number, point)
        self.touch(number, None)

    def ink(self, point: tuple[float, float]) -> int:
        return self.page.evaluate(INK, list(point))


@pytest.fixture
def board(chromium, site):
    context = chromium.new_context(has_touch=True, viewport={"width": 1000, "height": 900})
    yield Board(context, site)
    context.close()


def test_a_palm_that_lies_down_first_does_not_stop_the_pen(board):
    for point in PALM:
        board.touch(1, point)
    assert board.ink(PALM[1]) > 0
    board.pen_draws(SEVEN)
    expect(board.reading).to_have_text("7")
    assert board.ink(PALM[1]) == 0  # what it drew is gone
    board.touch(1, (0.7, 0.9))  # it still lies there, and moves
    board.touch(1, None)
    board.pen_draws(ONE)
    expect(board.reading).to_have_text("71")
    assert board.ink((0.7, 0.9)) == 0
    assert board.watched.errors == []


def test_touches_are_ignored_while_a_pen_is_near_and_draw_again_without_it(board):
    board.pen("mouseMoved", (0.5, 0.1))  # it hovers, and the hand lies down
    board.finger_draws(PALM)
    assert board.ink(PALM[1]) == 0
    board.pen_draws(SEVEN)
    board.finger_draws(PALM)  # between two strokes
    expect(board.reading).to_have_text("7")
    time.sleep(PEN_AWAY)
    board.finger_draws(ONE)
    expect(board.reading).to_have_text("71")


def test_fingers_alone_draw_and_a_second_one_does_not_disturb(board):
    board.touch(1, SEVEN[0])
    for point in SEVEN[1:3]:
        board.touch(1, point)
    board.touch(2, PALM[0])
    board.touch(2, PALM[1])
    board.touch(2, None)
    for point in SEVEN[3:]:
        board.touch(1, point)
    board.touch(1, None)
    expect(board.reading).to_have_text("7")
    assert board.ink(PALM[1]) == 0


def test_a_tap_is_a_dot(board):
    board.touch(1, (0.3, 0.6))
    board.touch(1, None)
    board.page.mouse.click(*board.place((0.6, 0.6)).values())
    time.sleep(PEN_AWAY / 4)
    for x in (0.3, 0.6):
        across = board.ink((x, 0.6)) ** 0.5
        assert 8 < across < 40, across  # as wide as the pen


def test_an_empty_board_sends_nothing(board):
    board.page.evaluate("document.querySelector('[data-clear]').disabled = false")
    board.page.get_by_role("button", name="Clear").click()
    board.finger_draws(SEVEN)
    board.page.keyboard.press("Control+z")
    board.finger_draws(SEVEN)
    board.page.get_by_role("button", name="Clear").click()
    board.touch(1, PALM[0])
    board.pen("mousePressed", PALM[1])
    board.page.keyboard.press("Control+z")  # while the pen is down
    board.pen("mouseReleased", PALM[1])
    board.touch(1, None)
    time.sleep(1)
    assert board.sent == []


def sign_in(page):
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


@pytest.fixture
def context(chromium, site):
    context = chromium.new_context(base_url=site.url)
    yield context
    context.close()


def test_a_drawing_is_read_after_its_owner_signed_in_in_another_tab(context):
    page, other = context.new_page(), context.new_page()
    page.goto("/")
    page.evaluate("window.sameDocument = true")
    sign_in(other)
    draw(page)
    expect(page.locator("#reading .answer")).to_have_text("7")
    draw(page, ONE)
    expect(page.locator("#reading .answer")).to_have_text("71")
    assert page.evaluate("window.sameDocument") is True
    other.goto("/uploads/")
    expect(other.locator(".tile .reading").first).to_have_text("71")  # the account's


def test_a_file_is_read_after_its_owner_signed_in_in_another_tab(context, photo):
    page, other = context.new_page(), context.new_page()
    page.goto("/")
    sign_in(other)
    page.get_by_label("Image").set_input_files(photo)
    expect(page.locator("#reading .answer")).to_have_text("7")


def test_a_drawing_that_is_refused_is_kept_and_sent_again(chromium, site):
    """Behind a proxy that tells the site another name than the browser, until that is mended."""
    with Proxy(site.port) as proxy:
        context = chromium.new_context(base_url=proxy.url)
        page = context.new_page()
        page.goto("/")
        refused = page.get_by_role("alert").filter(has_text="stays on the board")
        for again in (lambda: page.evaluate(FOCUS), lambda: draw(page, ONE)):
            proxy.host = f"127.0.0.1:{site.port}"
            draw(page)
            expect(refused).to_be_visible()
            proxy.host = ""
            again()
            expect(page.locator("#reading .answer")).to_contain_text("7")
            page.get_by_role("button", name="Clear").click()
        page.goto("/uploads/")
        expect(page.locator(".tile .reading")).to_have_text(["71", "7"])
        context.close()
