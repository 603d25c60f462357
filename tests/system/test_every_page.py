"""What holds for every page: nobody is shut out, little is loaded, and nothing jumps."""

import json
import re
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.pages import PAGES, contexts, fill, visit
from tests.site import Site

MOST_BYTES = 150_000  # of a page without pictures that people sent
FADED = """() => !document.getAnimations().some(one => one instanceof CSSTransition)"""
WIDTH = 390  # pixels, as phones have
PICTURES = re.compile(r"data:|blob:|.*(/preview|/digit/\d+\.png|/examples/\w+\.png)$")
# What moved without being asked to, as browsers measure it; 0.1 is called good.
SHIFT = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value;
    }).observe({type: "layout-shift", buffered: true});
    setTimeout(() => resolve(sum), 100);
})"""
UNSIZED = """() => [...document.images]
    .filter((image) => !["alt", "width", "height"].every((name) => image.hasAttribute(name)))
    .map((image) => image.outerHTML)"""


@dataclass
class Visit:
    """What one look at a page on a phone, with an empty cache, found."""

    bytes: int = 0
    hosts: set = field(default_factory=set)
    policy: str = ""
    blocked: list = field(default_factory=list)
    shift: float = 0
    unsized: list = field(default_factory=list)
    width: int = 0
    light: list = field(default_factory=list)
    dark: list = field(default_factory=list)


@pytest.fixture(scope="module")
def visits(chromium, tmp_path_factory, few_images):
    """A visit to each page of an installation that shows them all; its address."""
    folder = tmp_path_factory.mktemp("filled")
    with Site(folder / "site") as site:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MNIST_DIR", str(few_images["MNIST_DIR"]))
            numbers = fill(site, folder)
        by = contexts(chromium, site)
        states = {name: context.storage_state() for name, context in by.items()}
        phone = {"base_url": site.url, "viewport": {"width": WIDTH, "height": 844}}
        found = {}
        for page in PAGES:
            context = chromium.new_context(storage_state=states[page.by], **phone)
            found[page.name] = _look(context.new_page(), page, numbers)
            context.close()
    return found, f"127.0.0.1:{site.port}"


def _look(tab, page, numbers) -> Visit:
    seen, answers, blocked = Visit(), [], []
    tab.on("response", lambda answer: answers.append(answer))
    tab.on(
        "console",
        lambda line: "Security Policy" in line.text and blocked.append(line.text),
    )
    visit(tab, page, numbers)
    seen.blocked = list(blocked)  # what axe does to the page is not the page's
    seen.shift = tab.evaluate(SHIFT)
    seen.policy = answers[0].header_value("content-security-policy") or ""
    loaded = [answer for answer in answers if not PICTURES.match(answer.url)]
    seen.bytes = sum(_size(answer) for answer in loaded)
    seen.hosts = {answer.url.split("/")[2] for answer in loaded}
    seen.unsized = tab.evaluate(UNSIZED)
    seen.width = tab.evaluate("document.documentElement.scrollWidth")
    tab.emulate_media(color_scheme="light", reduced_motion="reduce")
    seen.light = _violations(Axe().run(tab))
    tab.emulate_media(color_scheme="dark", reduced_motion="reduce")
    tab.wait_for_function(FADED)  # Django's admin fades from one colour to the other
    seen.dark = _violations(Axe().run(tab))
    return seen


def _violations(result) -> list:
    return [
        (one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:5]])
        for one in result.response["violations"]
    ]


def _size(answer) -> int:
    """The bytes that came over the wire, headers and all."""
    sizes = answer.request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]


def _ours(visits) -> dict[str, Visit]:
    return {page.name: visits[0][page.name] for page in PAGES if page.ours}


def _none(wrong: dict):
    wrong = {name: what for name, what in wrong.items() if what}
    assert not wrong, json.dumps(wrong, indent=1)


def test_axe_finds_no_violation_in_light_and_in_dark(visits):
    _none({name: seen.light + seen.dark for name, seen in visits[0].items()})


def test_no_page_asks_another_host(visits):
    _none({name: sorted(seen.hosts - {visits[1]}) for name, seen in visits[0].items()})


def test_every_page_has_a_strict_policy_that_blocks_nothing_of_it(visits):
    for seen in visits[0].values():
        assert "script-src 'self'" in seen.policy
        assert "unsafe-inline" not in seen.policy
    _none({name: seen.blocked for name, seen in visits[0].items()})


def test_pages_are_light(visits):
    weights = {name: seen.bytes for name, seen in _ours(visits).items()}
    print(f"the heaviest page: {max(weights.values())} bytes")
    _none({name: size for name, size in weights.items() if size > MOST_BYTES})


def test_nothing_jumps_and_every_image_has_a_size_and_a_text(visits):
    _none({name: seen.shift for name, seen in _ours(visits).items() if seen.shift > 0.01})
    _none({name: seen.unsized for name, seen in _ours(visits).items()})


def test_no_page_scrolls_sideways_on_a_phone(visits):
    _none({name: seen.width for name, seen in _ours(visits).items() if seen.width > WIDTH})
