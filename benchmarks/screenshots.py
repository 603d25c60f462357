"""Pictures of every page: `python -m benchmarks.screenshots FOLDER`.

It starts an installation of its own, fills it with real uploads, and takes each page of
tests/pages.py, or those named, at 1280 and 390 pixels, in light and dark.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.pages import PAGES, contexts, fill, visit
from tests.site import Site
from tests.system.conftest import CHROMIUM, FLAGS

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", help="names of pages", default=[])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = [page for page in PAGES if not options.only or page.name in options.only]
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder) / "site") as site:
        numbers = fill(site, Path(folder))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for width in WIDTHS:
                for scheme in SCHEMES:
                    _take(browser, site, numbers, chosen, width, scheme, options.folder)
            browser.close()


def _take(browser, site, numbers, pages, width: int, scheme: str, folder: Path):
    size = {"width": width, "height": 900 if width > 600 else 844}
    by = contexts(browser, site, viewport=size, color_scheme=scheme, has_touch=width < 600)
    for page in pages:
        tab = by[page.by].new_page()
        visit(tab, page, numbers)
        tab.screenshot(path=folder / f"{page.name}-{width}-{scheme}.png", full_page=True)
        tab.close()
    for context in by.values():
        context.close()


if __name__ == "__main__":
    main()
