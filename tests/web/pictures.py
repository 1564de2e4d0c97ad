"""Photographs the pages of a project for the documentation: `python -m tests.web.pictures PROJECT FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.waiting import until
from tests.web.browser import opened, started_chromium
from tests.web.page_site import PageProject, serving_pages

_SIZE = (1200, 1040)


def take_pictures(root: Path, folder: Path) -> None:
    """Write one file for each page."""
    with serving_pages(PageProject(root)) as site, started_chromium() as browser:
        with opened(browser, f"{site}/forecasts/demand", _SIZE) as page:
            until(lambda: page.locator("#listing").count() == 1 or bool(page.reload()))
            page.goto(f"{site}/forecasts/demand?sort=largest")
            page.locator("#listing tbody a").first.click()
            page.wait_for_function("document.documentElement.classList.contains('drawn')")
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=folder / "report.png")
        with opened(browser, f"{site}/", (_SIZE[0], 480)) as page:
            page.screenshot(path=folder / "fleet.png")


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
