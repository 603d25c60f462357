"""How long a drawing waits for its reading, in a browser: `python -m benchmarks.drawing`.

It starts an installation of its own, draws a 7 stroke by stroke, and measures in the page from the
moment the pen is lifted to one frame after the reading is laid out. The pause after which the page
reads by itself (READ_AFTER in digits/static/digits/drawing.js) is given beside it.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.pages import draw
from tests.site import Site
from tests.system.conftest import CHROMIUM, FLAGS

WATCH = """() => {
  window.shown = new Promise((resolve) => {
    let lifted;
    document.querySelector("canvas").addEventListener(
      "pointerup", (event) => (lifted = event.timeStamp), { once: true, capture: true });
    const watcher = new MutationObserver(() => {
      const answer = document.querySelector("#reading .panel .answer");
      if (!answer || lifted === undefined) return;
      watcher.disconnect();
      answer.getBoundingClientRect(); // laid out; a frame of 60 a second later it is painted
      setTimeout(() => resolve([performance.now() - lifted, answer.textContent]), 17);
    });
    watcher.observe(document.getElementById("reading"), { childList: true, subtree: true });
  });
}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder)) as site:
        figures = _measured(site.url, options.rounds)
    if options.json:
        print(json.dumps(figures))
    else:
        print(*(f"{name}: {value}" for name, value in figures.items()), sep="\n")


def _measured(url: str, rounds: int) -> dict:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(url)
        pause = page.evaluate("READ_AFTER")
        draw_and_wait(page)  # the first one finds everything cold
        runs = [draw_and_wait(page) for _ in range(rounds)]
        browser.close()
    times = [time for time, _ in runs]
    return {
        "rounds": rounds,
        "read_as": "".join(sorted({reading for _, reading in runs})),
        "pause_ms": pause,
        "median_from_lift_ms": round(statistics.median(times)),
        "p95_from_lift_ms": round(statistics.quantiles(times, n=20)[-1]),
        "median_after_pause_ms": round(statistics.median(times) - pause),
    }


def draw_and_wait(page) -> tuple[float, str]:
    """Draw on an empty area; the milliseconds from the pen's lift to the reading, and that."""
    page.evaluate(WATCH)
    draw(page)
    time, reading = page.evaluate("window.shown")
    page.get_by_role("button", name="Clear").click()
    return time, reading


if __name__ == "__main__":
    main()
